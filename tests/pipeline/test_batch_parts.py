"""The detector ahead of the gate, and the copies of graphs that take many at once."""

from pathlib import Path

import numpy as np
import pytest

from ser_stream.pipeline import mfcc
from ser_stream.pipeline.batch.detector import AheadSilero, silero_parts
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle
from ser_stream.pipeline.detector import Silero, silero_path
from ser_stream.pipeline.front_end import FrontEnd
from ser_stream.pipeline.loudness import Loudness
from ser_stream.pipeline.many_encoder import ManyEncoder
from ser_stream.pipeline.onnx_graph import OnnxGraph
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import Block, Chunk, EncoderState, FloatArray
from ser_stream.pipeline.window_features import WindowFeatures

ROUNDING = 1e-5


def zero_state() -> tuple[FloatArray, FloatArray]:
    return np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)


def test_the_detector_in_parts_hears_what_its_graph_hears(clip: FloatArray) -> None:
    whole = Silero().feed(clip)
    heard = np.concatenate([np.zeros(64, np.float32), clip])
    frames = np.lib.stride_tricks.sliding_window_view(heard, 576)[::512]
    parts = silero_parts()
    found, _ = parts.remembered(parts.features(frames), zero_state())

    assert whole.max() > 0.9
    np.testing.assert_allclose(found, whole, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("asleep_after", [1, 4, 13])
def test_after_a_sleep_it_remembers_what_was_asked_for_and_no_more(
    asleep_after: int, clip: FloatArray
) -> None:
    blocks = clip[: len(clip) // 1600 * 1600].reshape(-1, 1600)
    ahead, live = AheadSilero(), Silero()
    ahead.look(blocks, [Loudness(0.0, True, 6.0)] * len(blocks), 200)
    louder = blocks * np.float32(10.0 ** (6.0 / 20.0))
    awake = [*range(asleep_after), *range(asleep_after + 1, len(blocks))]
    for i in awake:
        if i == asleep_after + 1:
            for detector in (ahead, live):
                detector.skip()
            assert ahead.backlog == live.backlog == 0
            # What woke it is heard with the block before it.
            np.testing.assert_allclose(
                ahead.feed(louder[i - 1], 200 + 1600 * (i - 1)),
                live.feed(louder[i - 1]),
                atol=ROUNDING,
            )
        found, truth = ahead.feed(louder[i], 200 + 1600 * i), live.feed(louder[i])
        assert found.shape == truth.shape
        assert ahead.backlog == live.backlog
        np.testing.assert_allclose(found, truth, rtol=0, atol=ROUNDING)


def test_a_graph_is_read_and_written_as_it_was() -> None:
    for path in (silero_path(), load_bundle("open").folder / HEAD):
        assert OnnxGraph(path.read_bytes()).to_bytes() == path.read_bytes()


def test_weights_are_those_of_the_graph() -> None:
    onnx = pytest.importorskip("onnx")
    numpy_helper = pytest.importorskip("onnx.numpy_helper")
    path = silero_path()
    found = OnnxGraph(path.read_bytes()).weights()
    for tensor in onnx.load(str(path)).graph.initializer:
        assert np.array_equal(found.pop(tensor.name), numpy_helper.to_array(tensor))
    assert not found


@pytest.mark.parametrize("name", ["open", "research", "accurate"])
def test_features_of_many_windows_are_those_of_each(name: str) -> None:
    path = load_bundle(name).folder / HEAD
    head = open_session(path)
    many = WindowFeatures(path, head)
    rng = np.random.default_rng(5)
    windows = [
        rng.normal(0, 0.3, (n, 6, 64)).astype(np.float32)
        for n in [1, 25, 3, 25, 1, *[7] * 40]
    ]
    assert many.together
    found = many.of(windows)
    for columns, features in zip(windows, found, strict=True):
        feed = {
            "columns": columns[None],
            "heard": np.ones((1, 192), np.float32),
            "heard_s": np.ones((1, 1), np.float32),
        }
        truth = head.run(["features"], feed)[0][0]
        np.testing.assert_allclose(features, truth, rtol=0, atol=ROUNDING)
    assert many.of([]) == []


def test_a_graph_that_cannot_take_many_is_used_one_by_one(tmp_path: Path) -> None:
    path = load_bundle("open").folder / HEAD
    head = open_session(path)
    foreign = tmp_path / "head.onnx"
    foreign.write_bytes(b"no graph")
    one_by_one = WindowFeatures(foreign, head)
    windows = [np.full((n, 6, 64), 0.1, np.float32) for n in (2, 2, 5)]

    assert not one_by_one.together
    for found, truth in zip(
        one_by_one.of(windows), WindowFeatures(path, head).of(windows), strict=True
    ):
        np.testing.assert_allclose(found, truth, rtol=0, atol=ROUNDING)


def test_the_encoder_of_many_columns_gives_those_of_the_live_one(
    bundle: Bundle, recognizer: OnnxRecognizer
) -> None:
    rng = np.random.default_rng(3)
    frames = rng.normal(0, 10, (34 + 8 * 9, bundle.front_end.n_features))
    live, state = recognizer.encode(frames.astype(np.float32), None)
    many, other = recognizer.encode_many(frames.astype(np.float32), None)

    assert OnnxGraph((bundle.folder / ENCODER).read_bytes()).with_plain_elu()
    for found, truth in zip((many, *other), (live, *state), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-4, atol=ROUNDING)


@pytest.mark.parametrize("name", ["open", "accurate"])
def test_frames_of_many_blocks_are_those_of_each(name: str, clip: FloatArray) -> None:
    config = load_bundle(name).front_end
    blocks = [b for b in Blocker().feed(Chunk(0, clip)) if isinstance(b, Block)]
    one, many = FrontEnd(config), FrontEnd(config)
    parts = [one.feed(block) for block in blocks]
    truth = np.concatenate([frames for _, frames in parts])
    found, at = [], 0
    for n in (1, 1, 5, len(blocks)):
        first, frames = many.feed_many(blocks[at : at + n])
        assert first == parts[at][0] or not len(parts[at][1])
        found.append(frames)
        at += n

    np.testing.assert_allclose(np.concatenate(found), truth, rtol=0, atol=1e-4)
    assert one.normaliser._peak == pytest.approx(many.normaliser._peak)


@pytest.mark.parametrize("name", ["open", "accurate"])
def test_bands_without_the_products_with_zeros_are_the_same(name: str) -> None:
    config = load_bundle(name).front_end.mfcc
    power = np.random.default_rng(1).random((30, config.frame_length // 2 + 1)) ** 4
    np.testing.assert_allclose(
        mfcc.mel_power(power, config),
        power @ mfcc.mel_filter_bank(config).T,
        rtol=1e-12,
    )


def test_the_encoder_of_many_streams_gives_each_what_the_live_one_does(
    bundle: Bundle, recognizer: OnnxRecognizer, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    n_features, many = bundle.front_end.n_features, recognizer.many_encoder
    cold = [rng.normal(0, 5, (50, n_features)).astype(np.float32) for _ in range(11)]
    warm = [rng.normal(0, 5, (18, n_features)).astype(np.float32) for _ in cold]
    first = recognizer.encode_each(cold, None)
    for frames, found in zip(cold, first, strict=True):
        assert_encoded(found, recognizer.encode(frames, None))
    states = [state for _, state in first]
    then = recognizer.encode_each(warm, states)
    for frames, state, found in zip(warm, states, then, strict=True):
        assert_encoded(found, recognizer.encode(frames, state))
    assert many is not None

    # One that takes windows whole keeps a processor busy by itself; and what is no
    # graph, or another one, is not used.
    assert OnnxRecognizer(load_bundle("accurate")).many_encoder is None
    foreign = tmp_path / ENCODER
    live = open_session(bundle.folder / ENCODER)
    foreign.write_bytes(b"no graph")
    assert ManyEncoder.of(foreign, live, bundle.geometry) is None
    other = load_bundle("research").folder / ENCODER
    assert ManyEncoder.of(other, live, bundle.geometry) is None


def assert_encoded(
    found: tuple[FloatArray, EncoderState], truth: tuple[FloatArray, EncoderState]
) -> None:
    for one, other in zip((found[0], *found[1]), (truth[0], *truth[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=ROUNDING)
