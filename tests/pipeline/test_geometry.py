"""Another network runs by what its bundle says, and CPAC's numbers are the defaults."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.config.for_model import pipeline_config
from ser_stream.config.listen import ListenConfig
from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle, seal
from ser_stream.pipeline.front_end import frames_of
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer, encode_window, softmax
from ser_stream.pipeline.values import (
    Chunk,
    FloatArray,
    Prediction,
    SpeechWindow,
    StreamEvent,
)

pytest.importorskip("torch")

import torch

from export.parity import prove_parity
from tests.helpers.made_once import MadeOnce
from tests.helpers.program import messages, run
from tests.helpers.streamed_speech import (
    CLIPS,
    clips_with_pauses,
    cut_up,
    first_turn,
    heard,
    same,
    spoken,
)
from tests.helpers.tiny_network import GEOMETRY, export_tiny_network, tiny_network
from training.corpora.utterance import read_samples


@pytest.fixture(scope="module")
def bundle(once: MadeOnce) -> Bundle:
    return load_bundle(str(once("tiny-network", export_tiny_network)))


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    return clips_with_pauses()


def streamed(bundle: Bundle, *chunks: Chunk, step_s: float = 0.2) -> list[StreamEvent]:
    config = PipelineConfig(step_s=step_s, smoothing=bundle.thresholds)
    pipeline = Pipeline(OnnxRecognizer(bundle), bundle.front_end, config)
    return heard(pipeline, *chunks)


def test_cpac_s_numbers_are_the_defaults() -> None:
    assert Geometry() == CPAC
    assert (CPAC.column_hop, CPAC.column_length, CPAC.first_step) == (1600, 8200, 8200)
    assert (CPAC.extra_frames, CPAC.cold_frames, CPAC.spare_frames) == (30, 34, 0)
    assert CPAC.window_length(CPAC.max_columns) == 46_600
    assert [CPAC.n_frames(n) for n in (1, 25)] == [38, 230]
    assert [CPAC.columns_in(n) for n in (37, 38, 45, 46, 230)] == [0, 1, 1, 2, 25]


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames_per_column": 0},
        {"receptive_frames": 8.0},
        {"kept_frames": -1},
        {"max_columns": True},
        {"cold_columns": 2},
    ],
)
def test_a_geometry_that_no_encoder_has_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="geometry"):
        Geometry(**wrong)


def test_steps_fall_due_where_the_network_has_what_it_needs(
    bundle: Bundle, speech: FloatArray
) -> None:
    steps = [e for e in streamed(bundle, Chunk(0, speech)) if isinstance(e, Prediction)]
    # Eight frames are 2200 samples; the first block that ends behind them, at 3400.
    assert [step.end for step in steps[:3]] == [3400, 6600, 9800]
    in_speech = spoken(list(steps))
    assert len(in_speech) > 20
    assert max(step.columns for step in in_speech) == GEOMETRY.max_columns
    assert {step.max_columns for step in in_speech} == {GEOMETRY.max_columns}
    for step in in_speech:
        assert step.start % GEOMETRY.column_hop == 0
        assert 0 <= step.end - step.start - GEOMETRY.window_length(step.columns) < 800


def test_live_is_what_the_whole_network_says_of_the_same_frames(
    bundle: Bundle, speech: FloatArray
) -> None:
    network, frames = tiny_network(), frames_of(speech, bundle.front_end)
    # The normalisation is causal, and begins with the first speech: only that is told.
    for step in first_turn(spoken(streamed(bundle, Chunk(0, speech)))):
        first = step.start // 200
        cut = frames[first : first + GEOMETRY.n_frames(step.columns)]
        with torch.no_grad():
            logits = network(torch.from_numpy(cut)[None])[0].numpy()
        assert step.scores is not None
        np.testing.assert_allclose(step.scores, softmax(logits), atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 9_000), min_size=1, max_size=40),
    step_s=st.sampled_from([0.1, 0.2, 0.7]),
)
def test_however_it_is_cut_another_geometry_says_the_same(
    bundle: Bundle, speech: FloatArray, cuts: list[int], step_s: float
) -> None:
    whole = streamed(bundle, Chunk(0, speech), step_s=step_s)
    pieces = streamed(bundle, *cut_up(speech, cuts), step_s=step_s)
    assert len(whole) == len(pieces)
    assert all(map(same, whole, pieces))


def test_windows_of_speech_are_whole_columns_that_score_the_same_again(
    bundle: Bundle, speech: FloatArray
) -> None:
    windows: list[SpeechWindow] = []
    recognizer = OnnxRecognizer(bundle)
    pipeline = Pipeline(recognizer, bundle.front_end, listener=windows.append)
    pipeline.feed(Chunk(0, speech))
    assert windows
    for window in windows:
        columns = encode_window(recognizer, window.frames)
        assert len(window.frames) == GEOMETRY.n_frames(len(columns))
        np.testing.assert_allclose(recognizer.scores(columns), window.scores, atol=1e-5)


def test_the_proof_of_parity_holds_for_its_graphs(bundle: Bundle) -> None:
    clips = [(path, read_samples(path)) for path in CLIPS]
    parity = prove_parity(tiny_network(), bundle, clips)
    assert parity.steps > 20
    assert parity.max_logit_difference < 1e-4
    assert parity.labels_equal
    assert parity.median_difference_when_shifted > 1e-3


def test_a_window_is_asked_for_within_what_the_network_was_trained_for(
    bundle: Bundle,
) -> None:
    def columns(**settings: float) -> int:
        config = ListenConfig(model=str(bundle.folder), **settings)  # type: ignore[arg-type]
        return pipeline_config(config, bundle).columns(bundle.geometry)

    assert columns() == GEOMETRY.max_columns
    assert columns(window_s=0.5) == 8
    with pytest.raises(
        ConfigError, match="window is 2 s, but model tiny was trained on windows"
    ):
        columns(window_s=2.0)
    with pytest.raises(ConfigError, match=r"0.05 s; allowed: from 0.1375 to 0.9875"):
        columns(window_s=0.05)


def test_another_model_takes_over_in_the_middle_of_speech(
    bundle: Bundle, speech: FloatArray, tmp_path: Path
) -> None:
    folder = shutil.copytree(bundle.folder, tmp_path / "longer")
    seal(folder, bundle.manifest | {"clip_temperature": 0.5}, (ENCODER, HEAD))
    longer = load_bundle(str(folder))
    pipes = [
        Pipeline(OnnxRecognizer(one), one.front_end) for one in (bundle, longer, bundle)
    ]
    cut = 30_000
    expected = spoken(pipes[0].feed(Chunk(0, speech)))
    before = spoken(pipes[2].feed(Chunk(0, speech[:cut])))
    pipes[1].take_over_from(pipes[2])
    after = spoken(pipes[1].feed(Chunk(cut, speech[cut:])))
    for step, other in zip(expected, [*before, *after], strict=True):
        assert (step.start, step.end, step.columns) == (
            other.start,
            other.end,
            other.columns,
        )
        assert step.scores is not None
        assert other.scores is not None
        np.testing.assert_allclose(step.scores, other.scores, atol=1e-5)


def test_the_commands_take_it_as_any_model(bundle: Bundle) -> None:
    done = run(
        "listen", "--pace", "fast", "--model", bundle.folder, "--input", CLIPS[0]
    )
    hello, *others = messages(done.stdout)
    assert hello["model"]["labels"] == list(bundle.labels)
    assert hello["audio"]["window_ms"] == 987.5
    assert any(m["type"] == "prediction" and m["scores"] for m in others)
    assert run("recognize", CLIPS[0], "--model", bundle.folder).returncode == 0
    assert run("bench", "--model", bundle.folder, "--seconds", "5").returncode == 0
