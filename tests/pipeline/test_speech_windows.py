"""The pipeline hands out windows of speech, as the network was given them."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import FrontEndConfig, frames_of
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import (
    Chunk,
    FloatArray,
    Prediction,
    SpeechState,
    SpeechWindow,
)
from tests.helpers.paths import DATA, MINUTE

SECOND = 16_000
SECONDS = 24


def columns_in(frames: FloatArray) -> int:
    return CPAC.columns_in(len(frames))


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    samples: FloatArray = soundfile.read(
        MINUTE, dtype="float32", stop=SECONDS * SECOND
    )[0]
    return samples


@pytest.fixture(scope="module")
def heard(
    bundle: Bundle, recognizer: OnnxRecognizer, speech: FloatArray
) -> list[SpeechWindow]:
    return hear(recognizer, bundle.front_end, [Chunk(0, speech)])


def hear(
    recognizer: OnnxRecognizer,
    front_end: FrontEndConfig,
    chunks: Sequence[Chunk],
    config: PipelineConfig | None = None,
) -> list[SpeechWindow]:
    windows: list[SpeechWindow] = []
    pipeline = Pipeline(recognizer, front_end, config, windows.append)
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.flush()
    return windows


def same_time(frames: FloatArray, window: SpeechWindow) -> FloatArray:
    """The frames of the whole signal that the window is of."""
    end = 8 * ((window.end - 8200) // 1600 + 1) + 30
    return frames[end - len(window.frames) : end]


def assert_same(one: Sequence[SpeechWindow], other: Sequence[SpeechWindow]) -> None:
    assert [(w.end, w.turn) for w in one] == [(w.end, w.turn) for w in other]
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.frames, b.frames)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-4)


def test_frames_are_those_of_the_whole_signal(
    recognizer: OnnxRecognizer, bundle: Bundle, speech: FloatArray
) -> None:
    # `fixed` has no memory of what was said before, which `peak` has.
    front_end = replace(bundle.front_end, normalise=NormaliseConfig("fixed"))
    windows = hear(recognizer, front_end, [Chunk(0, speech)])
    frames = frames_of(speech, front_end)
    assert len({window.turn for window in windows}) > 3
    for window in windows:
        assert np.array_equal(window.frames, same_time(frames, window))


def test_frames_are_normalised_as_those_of_a_clip(
    recognizer: OnnxRecognizer, bundle: Bundle, clip: FloatArray
) -> None:
    quiet = np.zeros(SECOND, np.float32)
    samples = np.concatenate([quiet, clip, quiet])
    windows = hear(recognizer, bundle.front_end, [Chunk(0, samples)])
    frames = frames_of(samples, bundle.front_end)
    assert windows
    for window in windows:
        assert np.array_equal(window.frames, same_time(frames, window))


def test_the_network_says_the_same_again_of_what_was_handed_out(
    recognizer: OnnxRecognizer, heard: list[SpeechWindow]
) -> None:
    for window in heard:
        assert window.frames.shape == (8 * columns_in(window.frames) + 30, 78)
        cold = np.concatenate([np.zeros((4, 78), np.float32), window.frames])
        columns, _ = recognizer.encode(cold, None)
        assert len(columns) == columns_in(window.frames)
        again = recognizer.scores(columns, window.speaker)
        np.testing.assert_allclose(again, window.scores, atol=1e-4)


def test_half_precision_is_enough_for_the_network(
    recognizer: OnnxRecognizer, heard: list[SpeechWindow]
) -> None:
    for window in heard:
        half = window.frames.astype(np.float16).astype(np.float32)
        cold = np.concatenate([np.zeros((4, 78), np.float32), half])
        columns, _ = recognizer.encode(cold, None)
        again = recognizer.scores(columns, window.speaker)
        np.testing.assert_allclose(again, window.scores, atol=0.01)


def test_scores_are_those_of_the_prediction_of_that_moment(
    bundle: Bundle, recognizer: OnnxRecognizer, speech: FloatArray
) -> None:
    windows: list[SpeechWindow] = []
    pipeline = Pipeline(recognizer, bundle.front_end, listener=windows.append)
    said = {
        event.end: event
        for event in pipeline.feed(Chunk(0, speech))
        if isinstance(event, Prediction) and event.state is SpeechState.SPEECH
    }
    for window in windows:
        prediction = said[window.end]
        assert prediction.scores is not None
        assert np.array_equal(window.scores, prediction.scores)
        assert columns_in(window.frames) == prediction.columns


def test_each_utterance_is_a_turn_and_pauses_hand_out_nothing(
    heard: list[SpeechWindow],
) -> None:
    with (DATA / "emodb_minute.csv").open(newline="") as file:
        rows = [
            (float(row["start_ms"]) * 16, float(row["end_ms"]) * 16)
            for row in csv.DictReader(file)
        ]
    utterances: dict[int, set[int]] = {}
    for window in heard:
        # A turn goes on through 0.6 s of silence; a step later all is known.
        inside = [
            i
            for i, (start, end) in enumerate(rows)
            if start < window.end <= end + 0.8 * SECOND
        ]
        assert len(inside) == 1
        utterances.setdefault(window.turn, set()).update(inside)
    # The first is too short for a window, but a turn all the same.
    assert utterances == {i + 1: {i} for i in range(1, len(utterances) + 1)}
    assert len(utterances) > 4


@pytest.mark.parametrize("dbfs", [-120.0, -60.0, -30.0])
def test_silence_and_noise_hand_out_nothing(
    bundle: Bundle, recognizer: OnnxRecognizer, rng: np.random.Generator, dbfs: float
) -> None:
    noise = rng.standard_normal(15 * SECOND).astype(np.float32)
    noise *= np.float32(10 ** (dbfs / 20))
    assert hear(recognizer, bundle.front_end, [Chunk(0, noise)]) == []


@pytest.mark.parametrize("size", [160, 7_777, 48_000])
def test_windows_do_not_depend_on_how_the_audio_was_cut(
    bundle: Bundle,
    recognizer: OnnxRecognizer,
    speech: FloatArray,
    heard: list[SpeechWindow],
    size: int,
) -> None:
    chunks = [
        Chunk(start, speech[start : start + size])
        for start in range(0, len(speech), size)
    ]
    assert_same(hear(recognizer, bundle.front_end, chunks), heard)


@pytest.mark.parametrize("cut", [48_000, 90_123, 101_000, 112_000])
def test_a_swap_of_the_model_neither_loses_nor_repeats_a_window(
    bundle: Bundle,
    recognizer: OnnxRecognizer,
    speech: FloatArray,
    heard: list[SpeechWindow],
    cut: int,
) -> None:
    windows: list[SpeechWindow] = []
    first, second = (
        Pipeline(recognizer, bundle.front_end, listener=windows.append)
        for _ in range(2)
    )
    first.feed(Chunk(0, speech[:cut]))
    second.take_over_from(first)
    second.feed(Chunk(cut, speech[cut:]))
    assert_same(windows, heard)


def test_a_gap_begins_another_turn(bundle: Bundle, recognizer: OnnxRecognizer) -> None:
    # In the middle of an utterance, which goes on as if nothing had been lost.
    begin, cut, lost, end = (round(s * SECOND) for s in (27.0, 30.1, 0.02, 33.0))
    samples = soundfile.read(MINUTE, dtype="float32")[0]
    windows = hear(
        recognizer,
        bundle.front_end,
        [
            Chunk(begin, samples[begin:cut]),
            Chunk(cut + lost, samples[cut + lost : end]),
        ],
    )
    before = [window for window in windows if window.end <= cut]
    after = [window for window in windows if window.end > cut]
    assert before
    assert after
    assert after[0].turn == before[-1].turn + 1
    for window in after:
        assert window.end - CPAC.window_length(columns_in(window.frames)) >= cut + lost


@pytest.mark.parametrize(
    ("step_s", "window_s", "columns"), [(0.1, 2.9125, 15), (0.7, 1.0, 6), (2.0, 0.5, 1)]
)
def test_a_window_of_speech_comes_once_a_second_at_most_and_is_long_enough(
    bundle: Bundle,
    recognizer: OnnxRecognizer,
    speech: FloatArray,
    step_s: float,
    window_s: float,
    columns: int,
) -> None:
    config = PipelineConfig(step_s=step_s, window_s=window_s)
    windows = hear(recognizer, bundle.front_end, [Chunk(0, speech)], config)
    assert len(windows) > 3
    assert min(columns_in(window.frames) for window in windows) >= columns
    assert max(columns_in(window.frames) for window in windows) <= config.columns(CPAC)
    for a, b in pairwise(windows):
        assert b.turn > a.turn or b.end - a.end >= SECOND
