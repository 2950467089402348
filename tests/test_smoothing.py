"""Scores of single steps become a steady emotion."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.smoothing import UNCERTAIN, Smoother, SmoothingConfig
from ser_stream.values import EmotionEvent, Phase, Prediction, State

LABELS = ("angry", "happy", "sad")
STEP = 3200
PLAIN = SmoothingConfig(time_constant_s=0.0, dwell_s=0.0)
"""Neither averaging nor dwell: what comes in is what is judged."""


def step(n: int, *scores: float, label: str | None = None) -> Prediction:
    """Step n of the default 0.2 s; with no scores, silence."""
    end = 8200 + STEP * n
    if not scores:
        return Prediction(end - STEP, end, State.NO_SPEECH, -90.0)
    array = np.array(scores, np.float32)
    if label is None:
        best = int(array.argmax())
        label = LABELS[best] if array[best] >= 0.4 else UNCERTAIN
    return Prediction(max(0, end - 46_600), end, State.SPEECH, -20.0, label, array, 1)


def run(smoother: Smoother, *predictions: Prediction) -> list[EmotionEvent]:
    return [event for p in predictions for event in smoother.feed(p)]


def short(events: list[EmotionEvent]) -> list[tuple[str, int, str]]:
    return [(e.phase.value, e.id, e.label) for e in events]


ANGRY, HAPPY = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
UNSURE = (0.34, 0.33, 0.33)


def test_an_emotion_starts_only_after_its_label_led_for_the_dwell() -> None:
    smoother = Smoother(LABELS)
    assert smoother.feed(step(0, *ANGRY)) == []
    assert smoother.feed(step(1, *ANGRY)) == []
    (event,) = smoother.feed(step(2, *ANGRY))
    assert (event.phase, event.id, event.label) == (Phase.START, 1, "angry")
    # From the column that made it the candidate, up to now.
    assert (event.start, event.end) == (0, 8200 + 2 * STEP)
    assert event.confidence == pytest.approx(0.8, abs=1e-6)


def test_one_step_of_another_label_breaks_the_dwell() -> None:
    config = SmoothingConfig(time_constant_s=0.0)
    scores = [ANGRY, ANGRY, HAPPY, ANGRY, ANGRY]
    steps = [step(n, *s) for n, s in enumerate(scores)]
    smoother = Smoother(LABELS, config)
    assert run(smoother, *steps) == []
    assert short(smoother.feed(step(5, *ANGRY))) == [("start", 1, "angry")]


def test_an_emotion_begins_with_the_newest_column_and_not_with_the_window() -> None:
    smoother = Smoother(LABELS, PLAIN)
    (event,) = smoother.feed(step(100, *ANGRY))
    assert event.start == event.end - 8200


@given(n=st.integers(1, 40))
def test_uncertain_steps_never_start_an_emotion(n: int) -> None:
    smoother = Smoother(LABELS, PLAIN)
    # However high the scores: the label decides.
    steps = [step(i, *ANGRY, label=UNCERTAIN) for i in range(n)]
    assert run(smoother, *steps) == []
    assert smoother.current is None


def test_an_uncertain_step_between_others_does_not_start_one_either() -> None:
    smoother = Smoother(LABELS, SmoothingConfig(enter=0.5, dwell_s=0.2))
    run(smoother, step(0, *ANGRY))
    # The average still leads and the dwell is over, but this step is uncertain.
    assert smoother.feed(step(1, *UNSURE)) == []
    assert smoother.feed(step(2, *ANGRY)) == []
    assert short(smoother.feed(step(3, *ANGRY))) == [("start", 1, "angry")]


def test_it_takes_more_to_enter_an_emotion_than_to_stay_in_it() -> None:
    config = SmoothingConfig(enter=0.6, exit=0.4, time_constant_s=0.0, dwell_s=0.0)
    between = (0.5, 0.25, 0.25)
    smoother = Smoother(LABELS, config)
    assert run(smoother, *[step(n, *between) for n in range(9)]) == []
    assert short(smoother.feed(step(9, 0.6, 0.2, 0.2))) == [("start", 1, "angry")]
    assert run(smoother, *[step(n, *between) for n in range(10, 14)]) == []
    assert short(smoother.feed(step(14, 0.39, 0.31, 0.3))) == [("end", 1, "angry")]


def test_an_emotion_that_ends_by_its_score_ends_where_it_was_last_heard() -> None:
    smoother = Smoother(LABELS, PLAIN)
    (_, end) = run(smoother, step(0, *ANGRY), step(1, *ANGRY), step(2, *UNSURE))
    assert (end.phase, end.end) == (Phase.END, 8200 + STEP)
    assert end.confidence == pytest.approx(0.8)


def test_silence_ends_an_emotion_at_once() -> None:
    smoother = Smoother(LABELS, PLAIN)
    events = run(smoother, step(0, *ANGRY), step(1))
    assert short(events) == [("start", 1, "angry"), ("end", 1, "angry")]
    assert events[1].end == 8200
    assert smoother.feed(step(2)) == []


def test_silence_forgets_the_average_and_the_candidate() -> None:
    smoother = Smoother(LABELS)
    fresh = Smoother(LABELS)
    run(smoother, *[step(n, *HAPPY) for n in range(6)], *map(step, (6, 7, 8)))
    later = [step(n, *ANGRY) for n in range(9, 14)]
    ours, theirs = run(smoother, *later), run(fresh, *later)
    assert [(e.phase, e.label, e.start, e.end, e.confidence) for e in ours] == [
        (e.phase, e.label, e.start, e.end, e.confidence) for e in theirs
    ]
    assert ours[0].id == 2


def test_another_emotion_that_dwells_ends_the_first_and_starts() -> None:
    smoother = Smoother(LABELS)
    steps = [step(n, *(ANGRY if n < 8 else HAPPY)) for n in range(20)]
    events = [e for e in run(smoother, *steps) if e.phase is not Phase.UPDATE]
    assert short(events) == [
        ("start", 1, "angry"),
        ("end", 1, "angry"),
        ("start", 2, "happy"),
    ]
    assert events[1].end <= events[2].end


def test_one_odd_step_does_not_interrupt_an_emotion() -> None:
    smoother = Smoother(LABELS)
    scores = [ANGRY] * 6 + [HAPPY] + [ANGRY] * 6
    events = run(smoother, *[step(n, *s) for n, s in enumerate(scores)])
    assert {(e.id, e.label) for e in events} == {(1, "angry")}
    assert events[-1].phase is not Phase.END


def test_updates_come_at_most_once_a_second() -> None:
    smoother = Smoother(LABELS)
    events = run(smoother, *[step(n, *ANGRY) for n in range(53)])
    assert short(events)[0] == ("start", 1, "angry")
    assert {e.phase for e in events[1:]} == {Phase.UPDATE}
    assert [b.end - a.end for a, b in pairwise(events)] == [16_000] * 10


def test_the_average_forgets_with_the_time_constant() -> None:
    config = SmoothingConfig(time_constant_s=0.2, dwell_s=0.0, update_s=0.0)
    smoother = Smoother(LABELS, config)
    events = run(smoother, step(0, 0.9, 0.1, 0.0), step(1, 0.5, 0.3, 0.2))
    # One step of 0.2 s keeps 1/e of what was.
    expected = 0.9 / np.e + 0.5 * (1 - 1 / np.e)
    assert events[1].confidence == pytest.approx(expected, abs=1e-5)


def test_flush_ends_what_goes_on_and_nothing_twice() -> None:
    smoother = Smoother(LABELS, PLAIN)
    run(smoother, step(0, *ANGRY))
    assert short(smoother.flush()) == [("end", 1, "angry")]
    assert smoother.flush() == []


def test_a_late_joiner_is_told_the_current_emotion() -> None:
    smoother = Smoother(LABELS, PLAIN)
    seen = [smoother.current]
    run(smoother, step(0, *ANGRY), step(1, 0.7, 0.2, 0.1))
    seen.append(smoother.current)
    smoother.flush()
    seen.append(smoother.current)
    assert (seen[0], seen[2]) == (None, None)
    assert seen[1] is not None
    assert (seen[1].id, seen[1].label) == (1, "angry")
    assert seen[1].confidence == pytest.approx(0.7)


SCORES = st.one_of(
    st.none(),
    st.tuples(*[st.floats(0.01, 1.0)] * 3).map(lambda s: tuple(x / sum(s) for x in s)),
)


@given(script=st.lists(SCORES, max_size=60))
def test_every_emotion_has_one_start_one_end_and_the_next_id(
    script: list[tuple[float, ...] | None],
) -> None:
    smoother = Smoother(LABELS, SmoothingConfig(enter=0.45, exit=0.4, dwell_s=0.2))
    steps = [step(n, *(scores or ())) for n, scores in enumerate(script)]
    events = run(smoother, *steps) + smoother.flush()
    for id_ in {e.id for e in events}:
        mine = [e for e in events if e.id == id_]
        phases = [e.phase for e in mine]
        assert phases == [Phase.START, *[Phase.UPDATE] * (len(mine) - 2), Phase.END]
        assert len({(e.label, e.start) for e in mine}) == 1
        assert [e.end for e in mine] == sorted(e.end for e in mine)
        assert all(0.0 <= e.confidence <= 1.0 for e in mine)
    # They follow one another: ids count from 1, and none begins before one ends.
    assert [e.id for e in events] == sorted(e.id for e in events)
    ids = {e.id for e in events}
    assert ids == set(range(1, len(ids) + 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"uncertain": 1.5}, "uncertain is 1.5; allowed: a score from 0 to 1"),
        ({"enter": float("nan")}, "enter is nan; allowed"),
        ({"exit": -0.1}, "exit is -0.1; allowed"),
        ({"enter": 0.3, "exit": 0.4}, r"exit \(0.4\) must not be above enter \(0.3\)"),
        ({"dwell_s": -1.0}, "dwell_s is -1.0; allowed: >= 0 s"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SmoothingConfig(**settings)
