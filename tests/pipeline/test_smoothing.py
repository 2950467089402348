"""Scores of single steps become a steady emotion."""

from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.pipeline.smoothing import UNCERTAIN, Smoother, SmoothingConfig
from ser_stream.pipeline.values import EmotionEvent, Phase, Prediction, SpeechState

LABELS = ("angry", "happy", "sad")
STEP = 3200
DWELL = SmoothingConfig(
    enter=0.6,
    exit=0.35,
    evidence_per_s=5.0,
    change_per_s=1000.0,
    change_per_s_silent=1000.0,
    dwell_s=0.4,
)
"""Nothing is remembered, and a step is one look: scores decide as they come in."""
PLAIN = replace(DWELL, dwell_s=0.0)
KEEPING = SmoothingConfig(evidence_per_s=5.0, change_per_s=0.0, change_per_s_silent=0.0)
"""A step is one look, and nothing is ever forgotten."""


def step(
    n: int, *scores: float, label: str | None = None, columns: int = 25
) -> Prediction:
    """Step n of the default 0.2 s; with no scores, silence."""
    end = 8200 + STEP * n
    if not scores:
        return Prediction(end - STEP, end, SpeechState.NO_SPEECH, -90.0)
    array = np.array(scores, np.float32)
    if label is None:
        best = int(array.argmax())
        label = LABELS[best] if array[best] >= 0.4 else UNCERTAIN
    start = max(0, end - 46_600)
    return Prediction(start, end, SpeechState.SPEECH, -20.0, label, array, columns)


def run(smoother: Smoother, *predictions: Prediction) -> list[EmotionEvent]:
    return [event for p in predictions for event in smoother.feed(p)]


def short(events: list[EmotionEvent]) -> list[tuple[str, int, str]]:
    return [(e.phase.value, e.id, e.label) for e in events]


ANGRY, HAPPY = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
SURE = (1.0, 0.0, 0.0)
UNSURE = (0.34, 0.33, 0.33)


def test_an_emotion_starts_only_after_its_label_led_for_the_dwell() -> None:
    smoother = Smoother(LABELS, DWELL)
    assert smoother.feed(step(0, *ANGRY)) == []
    assert smoother.feed(step(1, *ANGRY)) == []
    (event,) = smoother.feed(step(2, *ANGRY))
    assert (event.phase, event.id, event.label) == (Phase.START, 1, "angry")
    # From the column that made it the candidate, up to now.
    assert (event.start, event.end) == (0, 8200 + 2 * STEP)
    assert event.confidence == pytest.approx(0.8, abs=1e-6)


def test_one_step_of_another_label_breaks_the_dwell() -> None:
    scores = [ANGRY, ANGRY, HAPPY, ANGRY, ANGRY]
    steps = [step(n, *s) for n, s in enumerate(scores)]
    smoother = Smoother(LABELS, DWELL)
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
    smoother = Smoother(LABELS, replace(KEEPING, dwell_s=0.2))
    run(smoother, step(0, *ANGRY))
    # The belief still leads and the dwell is over, but this step is uncertain.
    assert smoother.feed(step(1, *UNSURE)) == []
    assert smoother.feed(step(2, *ANGRY)) == []
    assert short(smoother.feed(step(3, *ANGRY))) == [("start", 1, "angry")]


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
    assert (end.phase, end.end) == (Phase.END, 8200 + STEP)
    assert end.confidence == pytest.approx(0.8)


def test_silence_ends_an_emotion_at_once() -> None:
    smoother = Smoother(LABELS, PLAIN)
    events = run(smoother, step(0, *ANGRY), step(1))
    assert short(events) == [("start", 1, "angry"), ("end", 1, "angry")]
    assert events[1].end == 8200
    assert smoother.feed(step(2)) == []


def test_another_emotion_that_dwells_ends_the_first_and_starts() -> None:
    smoother = Smoother(LABELS, DWELL)
    steps = [step(n, *(ANGRY if n < 8 else HAPPY)) for n in range(20)]
    events = [e for e in run(smoother, *steps) if e.phase is not Phase.UPDATE]
    assert short(events) == [
        ("start", 1, "angry"),
        ("end", 1, "angry"),
        ("start", 2, "happy"),
    ]
    assert events[1].end <= events[2].end


def test_one_odd_step_does_not_interrupt_an_emotion() -> None:
    smoother = Smoother(LABELS, SmoothingConfig(evidence_per_s=5.0))
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


def steps_until(smoother: Smoother, n: int, scores: tuple[float, ...]) -> int:
    """How many such steps, the first of them step n, their emotion takes to begin."""
    label = LABELS[int(np.argmax(scores))]
    for taken in count(1):
        events = smoother.feed(step(n + taken - 1, *scores))
        if any((e.phase, e.label) == (Phase.START, label) for e in events):
            return taken
        assert taken < 1000
    raise AssertionError


def confidence_after(config: SmoothingConfig, *predictions: Prediction) -> float:
    """The belief in the emotion that goes on after these steps."""
    smoother = Smoother(LABELS, replace(config, update_s=0.0))
    return run(smoother, *predictions)[-1].confidence


def test_a_step_moves_the_belief_as_its_share_of_a_look() -> None:
    config = replace(KEEPING, enter=0.0, exit=0.0, evidence_per_s=2.5)
    # Two steps of 0.2 s are one look, which from no opinion is believed as it is.
    both = confidence_after(config, step(0, *ANGRY), step(1, *ANGRY))
    assert both == pytest.approx(0.8, abs=1e-6)
    # One alone: p ** 0.5, of sum 1.
    weights = np.sqrt(ANGRY)
    expected = weights[0] / weights.sum()
    assert confidence_after(config, step(0, *ANGRY)) == pytest.approx(expected)
    # A step of 0.4 s is worth as much as two of 0.2 s.
    late = confidence_after(config, step(0, *ANGRY), step(2, *ANGRY))
    three = [step(n, *ANGRY) for n in range(3)]
    assert late == pytest.approx(confidence_after(config, *three))


def test_a_short_window_counts_less_by_the_square_root_of_its_columns() -> None:
    config = replace(KEEPING, enter=0.0, exit=0.0)
    # 4 of 25 columns: two fifths of a look.
    weights = np.array(ANGRY) ** 0.4
    short = confidence_after(config, step(0, *ANGRY, columns=4))
    assert short == pytest.approx(weights[0] / weights.sum())
    assert short < confidence_after(config, step(0, *ANGRY))


@pytest.mark.parametrize("silent", [False, True])
def test_the_belief_fades_at_one_rate_in_speech_and_at_another_in_silence(
    silent: bool,
) -> None:
    config = replace(KEEPING, enter=0.0, exit=0.0)
    rates = {"change_per_s": 0.5, "change_per_s_silent": 0.1}
    even = (1 / 3, 1 / 3, 1 / 3)
    # 2 s of silence, or of speech that tells nothing.
    quiet = [step(n, *(() if silent else even)) for n in range(1, 11)]
    after = step(11, *even, label="angry")
    # Steps that tell nothing add nothing; the first leaves no doubt.
    sure = replace(config, **rates, evidence_per_s=10.0)
    found = confidence_after(sure, step(0, *SURE), *quiet, after)
    rate = 0.1 * 2.0 + 0.5 * 0.2 if silent else 0.5 * 2.2
    assert found == pytest.approx(1 / 3 + 2 / 3 * np.exp(-rate), abs=1e-5)


def test_after_a_pause_the_same_emotion_is_back_sooner_than_another_comes() -> None:
    config = replace(SmoothingConfig(), evidence_per_s=1.0)
    first = steps_until(Smoother(LABELS, config), 0, ANGRY)
    taken = {}
    for scores in (ANGRY, HAPPY):
        smoother = Smoother(LABELS, config)
        heard = run(smoother, *[step(n, *ANGRY) for n in range(15)])
        ended = run(smoother, *[step(n) for n in range(15, 20)])
        assert short(heard)[0] == ("start", 1, "angry")
        assert short(ended) == [("end", 1, "angry")]
        taken[scores] = steps_until(smoother, 20, scores)
    assert taken[ANGRY] < first < taken[HAPPY]


def test_a_long_silence_is_as_good_as_a_new_stream() -> None:
    smoother = Smoother(LABELS)
    run(smoother, *[step(n, *HAPPY) for n in range(15)])
    run(smoother, *[step(n) for n in range(15, 3000)])
    first = steps_until(Smoother(LABELS), 0, ANGRY)
    assert steps_until(smoother, 3000, ANGRY) == first


def test_a_pause_keeps_belief_and_flush_forgets_it() -> None:
    paused, flushed = Smoother(LABELS), Smoother(LABELS)
    for smoother in (paused, flushed):
        run(smoother, *[step(n, *HAPPY) for n in range(15)])
    assert paused.pause() == flushed.flush()
    assert paused.current is None
    first = steps_until(Smoother(LABELS), 0, ANGRY)
    assert steps_until(flushed, 15, ANGRY) == first
    assert steps_until(paused, 15, ANGRY) > first


def test_silence_breaks_the_dwell() -> None:
    smoother = Smoother(LABELS, replace(KEEPING, dwell_s=0.4))
    assert run(smoother, *[step(n, *ANGRY) for n in (0, 1)], step(2)) == []
    assert steps_until(smoother, 3, ANGRY) == 3


def test_no_single_score_of_0_rules_an_emotion_out() -> None:
    smoother = Smoother(LABELS, replace(KEEPING, enter=0.7))
    assert short(run(smoother, step(0, 0.0, 1.0, 0.0))) == [("start", 1, "happy")]
    # 1e-4 against it, and 0.001 ** 2 for it.
    sad = (0.0005, 0.0005, 0.999)
    steps = [step(n, *sad) for n in (1, 2, 3)]
    starts = [e for e in run(smoother, *steps) if e.phase is Phase.START]
    assert [e.label for e in starts] == ["sad"]


@given(scores=st.lists(st.sampled_from([ANGRY, HAPPY, SURE, None]), max_size=60))
def test_without_evidence_nothing_is_believed(
    scores: list[tuple[float, ...] | None],
) -> None:
    smoother = Smoother(LABELS, replace(KEEPING, enter=0.4, evidence_per_s=0.0))
    assert run(smoother, *[step(n, *(s or ())) for n, s in enumerate(scores)]) == []


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
    smoother = Smoother(LABELS, replace(DWELL, enter=0.45, exit=0.4, dwell_s=0.2))
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
        ({"evidence_per_s": -1.0}, "evidence_per_s is -1.0; allowed: >= 0 a second"),
        ({"change_per_s": float("inf")}, "change_per_s is inf; allowed"),
        ({"change_per_s_silent": float("nan")}, "change_per_s_silent is nan; allowed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SmoothingConfig(**settings)
