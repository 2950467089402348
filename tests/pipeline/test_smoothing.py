"""Scores of single steps become a steady emotion."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.pipeline.smoothing import UNCERTAIN, Smoother, SmoothingConfig
from ser_stream.pipeline.values import EmotionEvent, Phase, Prediction, SpeechState

LABELS = ("angry", "happy", "sad")
STEP = 3200
FIRST = 46_600
"""Where step 0 falls due: the longest window has passed."""
PLAIN = SmoothingConfig(enter=0.6, exit=0.35, memory_s=0.0, lead=0.0)
"""Nothing is remembered: scores decide as they come in."""


def step(
    n: int, *scores: float, label: str | None = None, columns: int = 25
) -> Prediction:
    """Step n of the default 0.2 s; with no scores, silence."""
    end = FIRST + STEP * n
    if not scores:
        return Prediction(end - STEP, end, SpeechState.NO_SPEECH, -90.0)
    array = np.array(scores, np.float32)
    if label is None:
        best = int(array.argmax())
        label = LABELS[best] if array[best] >= 0.4 else UNCERTAIN
    start = end - 8200 - 1600 * (columns - 1)
    return Prediction(start, end, SpeechState.SPEECH, -20.0, label, array, columns)


def run(smoother: Smoother, *predictions: Prediction) -> list[EmotionEvent]:
    return [event for p in predictions for event in smoother.feed(p)]


def short(events: list[EmotionEvent]) -> list[tuple[str, int, str]]:
    return [(e.phase.value, e.id, e.label) for e in events]


ANGRY, HAPPY = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
SURE = (1.0, 0.0, 0.0)
UNSURE = (0.34, 0.33, 0.33)


def test_an_emotion_starts_with_the_first_step_that_has_heard_enough() -> None:
    smoother = Smoother(LABELS, replace(PLAIN, heard_s=1.4))
    heard = [step(n, *ANGRY, columns=2 * n + 1) for n in range(6)]
    assert [run(smoother, one) for one in heard[:5]] == [[]] * 5
    (event,) = smoother.feed(heard[5])
    assert (event.phase, event.id, event.label) == (Phase.START, 1, "angry")
    assert heard[5].end - heard[5].start == 24_200  # 1.5 s
    assert event.confidence == pytest.approx(0.8, abs=1e-6)
    # From the newest column, not from where the window begins.
    assert (event.start, event.end) == (heard[5].end - 8200, heard[5].end)


def test_a_short_window_changes_no_emotion_either() -> None:
    smoother = Smoother(LABELS, replace(PLAIN, exit=0.0))
    run(smoother, step(0, *ANGRY), step(1))
    (event,) = run(smoother, *[step(n, *HAPPY, columns=2 * n - 3) for n in range(2, 7)])
    assert (event.phase, event.label) == (Phase.UPDATE, "angry")
    changed = smoother.feed(step(7, *HAPPY, columns=11))
    assert short(changed) == [("end", 1, "angry"), ("start", 2, "happy")]


@given(n=st.integers(1, 40))
def test_uncertain_steps_never_start_an_emotion(n: int) -> None:
    smoother = Smoother(LABELS, PLAIN)
    # However high the scores: the label decides.
    steps = [step(i, *ANGRY, label=UNCERTAIN) for i in range(n)]
    assert run(smoother, *steps) == []
    assert smoother.current is None


def test_it_takes_more_to_enter_an_emotion_than_to_stay_in_it() -> None:
    config = replace(PLAIN, enter=0.6, exit=0.4)
    between = (0.5, 0.25, 0.25)
    smoother = Smoother(LABELS, config)
    assert run(smoother, *[step(n, *between) for n in range(9)]) == []
    assert short(smoother.feed(step(9, 0.61, 0.2, 0.19))) == [("start", 1, "angry")]
    assert run(smoother, *[step(n, *between) for n in range(10, 14)]) == []
    assert short(smoother.feed(step(14, 0.39, 0.31, 0.3))) == [("end", 1, "angry")]


def test_an_emotion_that_ends_by_its_score_ends_where_it_last_held() -> None:
    smoother = Smoother(LABELS, PLAIN)
    (_, end) = run(smoother, step(0, *ANGRY), step(1, *ANGRY), step(2, *UNSURE))
    assert (end.phase, end.end) == (Phase.END, FIRST + STEP)
    assert end.confidence == pytest.approx(0.8)


def test_an_emotion_is_held_over_a_pause_and_ends_where_speech_did() -> None:
    smoother = Smoother(LABELS, replace(PLAIN, max_pause_s=1.5))
    assert short(run(smoother, step(0, *ANGRY))) == [("start", 1, "angry")]
    # 1.4 s of silence, and speech again: nothing happened.
    assert run(smoother, *[step(n) for n in range(1, 8)]) == []
    assert smoother.current is not None
    assert short(smoother.feed(step(8, *ANGRY))) == [("update", 1, "angry")]
    # After 1.6 s it is over, and was since the last speech.
    assert run(smoother, *[step(n) for n in range(9, 16)]) == []
    (end,) = smoother.feed(step(16))
    assert (end.phase, end.end) == (Phase.END, FIRST + 8 * STEP)
    assert smoother.feed(step(17)) == []


def test_a_new_turn_believes_nothing_of_the_turn_before() -> None:
    config = replace(SmoothingConfig(), memory_s=2.0)
    fresh = Smoother(LABELS, config)
    expected = fresh.feed(step(200, *HAPPY))[0].confidence
    smoother = Smoother(LABELS, config)
    run(smoother, *[step(n, *ANGRY) for n in range(20)])
    events = run(smoother, *[step(n) for n in range(20, 200)])
    assert short(events) == [("end", 1, "angry")]
    (start,) = smoother.feed(step(200, *HAPPY))
    assert start.label == "happy"
    assert start.confidence == pytest.approx(expected)


def test_another_emotion_needs_a_lead_and_the_step_on_its_side() -> None:
    config = SmoothingConfig(memory_s=1.0, lead=0.2)
    smoother = Smoother(LABELS, config)
    events = run(smoother, *[step(n, *ANGRY) for n in range(15)])
    assert short(events)[0] == ("start", 1, "angry")
    # Three steps of happy: it leads in none; ten: it does.
    assert all(
        e.label == "angry"
        for e in run(smoother, *[step(n, *HAPPY) for n in range(15, 18)])
    )
    events = run(smoother, *[step(n, *HAPPY) for n in range(18, 25)])
    changed = [e for e in events if e.phase is not Phase.UPDATE]
    assert short(changed) == [("end", 1, "angry"), ("start", 2, "happy")]
    assert changed[0].end <= changed[1].end
    # Belief is with happy still, but nothing begins against what the step says.
    assert run(smoother, *[step(n) for n in range(25, 40)])[-1].phase is Phase.END
    run(smoother, *[step(n, *HAPPY, columns=1) for n in range(40, 50)])
    assert smoother.feed(step(50, *ANGRY)) == []
    assert short(smoother.feed(step(51, *HAPPY))) == [("start", 3, "happy")]


def test_one_odd_step_does_not_interrupt_an_emotion() -> None:
    smoother = Smoother(LABELS)
    scores = [ANGRY] * 6 + [HAPPY] + [ANGRY] * 6
    events = run(smoother, *[step(n, *s) for n, s in enumerate(scores)])
    assert {(e.id, e.label) for e in events} == {(1, "angry")}
    assert events[-1].phase is not Phase.END


def test_updates_come_at_most_once_a_second() -> None:
    smoother = Smoother(LABELS, PLAIN)
    events = run(smoother, *[step(n, *ANGRY) for n in range(53)])
    assert short(events)[0] == ("start", 1, "angry")
    assert {e.phase for e in events[1:]} == {Phase.UPDATE}
    assert [b.end - a.end for a, b in pairwise(events)] == [16_000] * 10


def test_the_belief_is_the_mean_of_scores_with_an_exponential_memory() -> None:
    config = SmoothingConfig(enter=0.0, memory_s=0.5, update_s=0.0, lead=1.0)
    smoother = Smoother(LABELS, config)
    events = run(smoother, step(0, *ANGRY), step(1, *HAPPY), step(3, *HAPPY))
    # Steps count for the time since the one before: 0.2, 0.2 and 0.4 s.
    kept, late = math.exp(-0.2 / 0.5), math.exp(-0.4 / 0.5)
    weights = [(1 - kept) * kept * late, (1 - kept) * late, 1 - late]
    expected = np.average([0.8, 0.1, 0.1], weights=weights)
    assert events[-1].label == "angry"
    assert events[-1].confidence == pytest.approx(expected, abs=1e-6)
    assert events[0].confidence == pytest.approx(0.8, abs=1e-6)


def test_a_gap_forgets_what_a_pause_keeps() -> None:
    config = SmoothingConfig(memory_s=2.0, lead=0.0, update_s=0.0)
    belief = {}
    for gap in (False, True):
        smoother = Smoother(LABELS, config)
        run(smoother, *[step(n, *ANGRY) for n in range(15)])
        if gap:
            assert short(smoother.flush()) == [("end", 1, "angry")]
            assert smoother.current is None
        else:
            assert run(smoother, *[step(n) for n in range(15, 20)]) == []
        (event,) = smoother.feed(step(20, *HAPPY))
        belief[gap] = event
    # Before the pause 3 s of angry, after it one step of happy.
    kept = math.exp(-0.2 / 2.0)
    heard = 1 - math.exp(-3.0 / 2.0)
    angry = (0.8 * heard * kept + 0.1 * (1 - kept)) / (heard * kept + 1 - kept)
    assert short([belief[False], belief[True]]) == [
        ("update", 1, "angry"),
        ("start", 2, "happy"),
    ]
    assert belief[False].confidence == pytest.approx(angry, abs=1e-6)
    assert belief[True].confidence == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("memory_s", [1e-9, 1e17])
def test_any_memory_that_is_allowed_has_a_belief(memory_s: float) -> None:
    smoother = Smoother(LABELS, SmoothingConfig(memory_s=memory_s))
    events = run(smoother, *[step(n, *ANGRY) for n in range(3)])
    assert events[0].confidence == pytest.approx(0.8, abs=1e-6)


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
    smoother = Smoother(LABELS, SmoothingConfig(enter=0.45, exit=0.4))
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
        ({"lead": 1.5}, "lead is 1.5; allowed: a score from 0 to 1"),
        ({"memory_s": -1.0}, "memory_s is -1.0; allowed: >= 0 s"),
        ({"heard_s": float("inf")}, "heard_s is inf; allowed"),
        ({"max_pause_s": float("nan")}, "max_pause_s is nan; allowed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SmoothingConfig(**settings)
