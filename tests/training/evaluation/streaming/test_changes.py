"""Delays, flips and coverage: hand-made streams whose figures can be read off."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.pipeline.recording import Recording, Told
from ser_stream.pipeline.values import (
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    SpeechState,
)
from ser_stream.tuning.streams import Segment
from training.evaluation.streaming.changes import (
    Delay,
    active_labels,
    count,
    delays,
    quantile,
    summarize,
)

SECOND = 16_000
STEP = SECOND // 5
LABELS = ("angry", "sad")


def start(seconds: float, label: str, id_: int = 1) -> Told:
    at = round(seconds * SECOND)
    return Told(at, EmotionEvent(Phase.START, id_, label, at - STEP, at, 0.9))


def end(seconds: float, label: str, id_: int = 1) -> Told:
    at = round(seconds * SECOND)
    return Told(at, EmotionEvent(Phase.END, id_, label, 0, at, 0.9))


def segment(start: float, end: float, label: str) -> Segment:
    return Segment(round(start * SECOND), round(end * SECOND), label)


def stream(seconds: float, told: list[Told], silent: tuple[float, float]) -> Recording:
    """A step each 0.2 s; no speech in the steps that fall due within `silent`."""
    scores: FloatArray = np.array([0.5, 0.5], np.float32)
    predictions = []
    for end_ in range(STEP, round(seconds * SECOND) + 1, STEP):
        quiet = silent[0] * SECOND < end_ <= silent[1] * SECOND
        predictions.append(
            Prediction(0, end_, SpeechState.NO_SPEECH, -60.0)
            if quiet
            else Prediction(0, end_, SpeechState.SPEECH, -20.0, "sad", scores, 5)
        )
    n = len(predictions)
    return Recording(round(seconds * SECOND), predictions, [0.0] * n, told)


SEGMENTS = [segment(0, 4, "angry"), segment(4, 8, "sad"), segment(8, 10, "angry")]


def test_a_delay_lasts_from_the_change_to_the_event_with_the_right_label() -> None:
    told = [
        start(0.6, "angry"),
        end(5.2, "angry"),
        start(5.2, "sad", 2),
        end(9.0, "sad", 2),
        start(9.0, "angry", 3),
    ]
    assert delays(told, SEGMENTS) == [Delay("sad", 1.2), Delay("angry", 1.0)]


def test_a_change_is_missed_where_the_event_comes_after_the_next_change() -> None:
    told = [start(0.6, "angry"), end(8.2, "angry"), start(8.2, "sad", 2)]
    assert [d.seconds for d in delays(told, SEGMENTS)] == [math.inf, math.inf]


def test_an_emotion_that_was_wrong_until_the_change_does_not_tell_it() -> None:
    told = [start(2.0, "sad")]
    assert delays(told, SEGMENTS[:2]) == [Delay("sad", math.inf)]
    # Unless it begins anew, as after a pause.
    told += [end(4.4, "sad"), start(5.0, "sad", 2)]
    assert delays(told, SEGMENTS[:2]) == [Delay("sad", 1.0)]


def test_a_wrong_emotion_first_makes_the_right_one_later_and_not_missed() -> None:
    told = [start(4.4, "angry"), end(7.0, "angry"), start(7.0, "sad", 2)]
    assert delays(told, SEGMENTS[:2]) == [Delay("sad", 3.0)]


def test_an_event_is_active_from_the_step_at_which_it_was_told() -> None:
    recording = stream(1.0, [start(0.4, "sad"), end(0.8, "sad")], (0, 0))
    assert active_labels(recording) == [None, "sad", "sad", None, None]


def test_an_end_and_a_start_in_one_step_leave_the_new_emotion_active() -> None:
    told = [start(0.2, "sad"), end(0.6, "sad"), start(0.6, "angry", 2)]
    labels = active_labels(stream(0.8, told, (0, 0)))
    assert labels == ["sad", "sad", "angry", "angry"]


def test_the_counts_of_a_stream_can_be_read_off() -> None:
    # Silent from 2 to 3 s; angry from 0.6 to 2.2; sad, wrongly, from 3.2 to 4 s and,
    # rightly, on to 6.0 s.
    told = [
        start(0.6, "angry"),
        end(2.2, "angry"),
        start(3.2, "sad", 2),
        end(6.0, "sad", 2),
    ]
    recording = stream(8.0, told, (2.0, 3.0))
    utterances = [segment(0, 2, "angry"), segment(3, 8, "sad")]
    counted = count(recording, SEGMENTS[:2], utterances, LABELS, "03")
    assert counted.step_s == 0.2
    assert counted.speech == 40 - 5
    # Steps due at 0.6 to 2.0 and 3.2 to 5.8 s.
    assert counted.active == 8 + 14
    # Of the second stretch those that are due after 4 s: 4.2 to 5.8.
    assert counted.right == 8 + 9
    assert counted.spoken == 10 + 25
    assert counted.spoken_active == 8 + 14
    # Angry, then sad within the angry segment.
    assert counted.flips == 1
    assert counted.delays == [Delay("sad", math.inf)]


@pytest.mark.parametrize(
    ("told", "n"),
    [
        ([], 0),
        ([start(1, "angry")], 0),
        # To the right one over the wrong one: one label change in the segment.
        ([start(1, "sad"), end(2, "sad"), start(2, "angry", 2)], 1),
        # There and back.
        (
            [
                start(1, "angry"),
                end(2, "angry"),
                start(2, "sad", 2),
                end(3, "sad", 2),
                start(3, "angry", 3),
            ],
            2,
        ),
    ],
)
def test_flips_are_changes_of_label_where_the_emotion_is_one(
    told: list[Told], n: int
) -> None:
    recording = stream(4.0, told, (0, 0))
    one = [segment(0, 4, "angry")]
    assert count(recording, one, one, LABELS, "03").flips == n


def test_the_same_emotion_after_a_pause_is_no_flip() -> None:
    told = [start(1, "angry"), end(2, "angry"), start(3.2, "angry", 2)]
    one = [segment(0, 4, "angry")]
    recording = stream(4.0, told, (2.0, 3.0))
    assert count(recording, one, one, LABELS, "03").flips == 0


def test_the_change_itself_is_no_flip() -> None:
    told = [start(1, "angry"), end(5, "angry"), start(5, "sad", 2)]
    recording = stream(8.0, told, (0, 0))
    two = SEGMENTS[:2]
    assert count(recording, two, two, LABELS, "03").flips == 0


def test_missed_changes_count_as_infinite_in_median_and_percentile() -> None:
    assert quantile([1.0, math.inf, 2.0], 0.5) == 2.0
    assert quantile([1.0, math.inf, math.inf], 0.5) == math.inf
    # Of an even number the upper one: half of the changes must be told by then.
    assert quantile([1.0, 2.0], 0.5) == 2.0
    assert quantile([float(i) for i in range(10)], 0.9) == 9.0
    assert math.isnan(quantile([], 0.5))


def test_the_summary_pools_streams_and_says_none_for_what_is_infinite() -> None:
    told = [start(0.6, "angry"), end(5.0, "angry"), start(5.0, "sad", 2)]
    good = count(stream(8.0, told, (0, 0)), SEGMENTS[:2], [], LABELS, "03")
    bad = count(stream(8.0, [], (0, 0)), SEGMENTS[:2], [], LABELS, "08")
    found = summarize([good, bad])
    assert (found["changes"], found["missed"], found["missed_share"]) == (2, 1, 0.5)
    assert found["median_delay_s"] is None
    assert found["median_delay_of_told_s"] == 1.0
    # 38 of the 40 steps of the first stream, none of the second.
    assert found["coverage"] == pytest.approx(38 / 80)
    # The angry one goes on for 5 steps, 4.0 to 4.8 s, of which the one due at 4.0 still
    # belongs to the angry segment.
    assert found["accuracy_while_active"] == pytest.approx(34 / 38, abs=1e-3)
    assert found["flips_per_minute"] == 0.0
    assert found["delays_s"] == [1.0]
    assert found["by_label"] == {"sad": {"changes": 2, "missed": 1}}
