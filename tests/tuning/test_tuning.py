"""Settings of the smoothing are searched by replaying what was recorded."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.errors import ConfigError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.smoothing import Smoother, SmoothingConfig
from ser_stream.pipeline.values import EmotionEvent, Phase, Prediction, SpeechState
from ser_stream.sources.recorded import read_chunks
from ser_stream.tuning import figures as tuning_figures
from ser_stream.tuning.figures import Tally, count, delay, flips, last_of, tally
from ser_stream.tuning.replay import SettingsGrid, replay
from ser_stream.tuning.search import Grid, Rule, choose, measure, search
from ser_stream.tuning.streams import Segment, Stream

LABELS = ("angry", "happy", "sad")
STEP = 3200
PLAIN = SmoothingConfig(
    uncertain=0.0,
    enter=0.5,
    exit=0.3,
    memory_s=0.0,
    lead=0.0,
    max_pause_s=0.0,
)
"""Nothing is remembered, nor held: scores decide as they come in."""
FIRST = 46_600
"""Where step 0 falls due: the longest window has passed."""


def silence(n: int) -> Prediction:
    end = FIRST + STEP * n
    return Prediction(end - STEP, end, SpeechState.NO_SPEECH, -90.0)


def step(n: int, scores: tuple[float, ...], columns: int = 25) -> Prediction:
    """Step n of the default 0.2 s; its label is wrong on purpose, see `replay`."""
    end = FIRST + STEP * n
    array = np.array(scores, np.float32)
    start = end - 8200 - 1600 * (columns - 1)
    return Prediction(start, end, SpeechState.SPEECH, -20.0, "nonsense", array, columns)


def says(text: str) -> list[Prediction]:
    """A letter a step: a, h and s are sure, . is silence."""
    sure = {"a": (0.8, 0.1, 0.1), "h": (0.1, 0.8, 0.1), "s": (0.1, 0.1, 0.8)}
    return [silence(n) if c == "." else step(n, sure[c]) for n, c in enumerate(text)]


def due(n: int) -> int:
    """Sample index at which step n falls due."""
    return FIRST + STEP * n


def by_smoother(
    predictions: list[Prediction], labels: tuple[str, ...], config: SmoothingConfig
) -> list[int]:
    """What is active after each step, as the real smoother has it."""
    smoother = Smoother(labels, config)
    result = []
    for prediction in predictions:
        if prediction.scores is not None:
            best = int(prediction.scores.argmax())
            sure = float(prediction.scores[best]) >= config.uncertain
            label = labels[best] if sure else "uncertain"
            prediction = replace(prediction, label=label)
        smoother.feed(prediction)
        now = smoother.current
        result.append(-1 if now is None else labels.index(now.label))
    return result


share = st.sampled_from([0.0, 0.2, 0.35, 0.4, 0.5, 0.6, 0.75, 1.0])
configs = st.builds(
    lambda uncertain, a, b, *rest: SmoothingConfig(
        uncertain, max(a, b), min(a, b), *rest
    ),
    share,
    share,
    share,
    st.sampled_from([0.0, 0.2, 0.7, 2.5]),
    st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    st.sampled_from([0.0, 0.5, 1.0, 1.5]),
    st.sampled_from([0.0, 0.2, 0.4, 1.0]),
)


@given(
    seed=st.integers(0, 2**32 - 1),
    sharpness=st.sampled_from([0.5, 2.0, 5.0]),
    many=st.lists(configs, min_size=1, max_size=12),
)
def test_a_replay_is_what_the_smoother_says_whatever_the_settings(
    seed: int, sharpness: float, many: list[SmoothingConfig]
) -> None:
    rng = np.random.default_rng(seed)
    predictions = []
    level, columns, quiet = rng.standard_normal(3), 0, False
    for n in range(80):
        level = 0.8 * level + 0.6 * rng.standard_normal(3)
        scores = np.exp(sharpness * level)
        quiet = rng.random() < (0.7 if quiet else 0.1)
        # The window grows by two columns a step, and silence clears it.
        columns = 0 if quiet else min(25, columns + 2)
        found = tuple((scores / scores.sum()).tolist())
        predictions.append(silence(n) if quiet else step(n, found, columns))
    active = replay(predictions, SettingsGrid(many))
    for i, config in enumerate(many):
        assert active[:, i].tolist() == by_smoother(predictions, LABELS, config)


def test_settings_that_believe_alike_share_a_track() -> None:
    settings = SettingsGrid(Grid().settings(SmoothingConfig()))
    assert len(settings.tracks) == 5
    for i in (0, 1, 77, 5000):
        config = settings.configs[i]
        track = settings.tracks[settings.track[i]]
        assert track == (config.memory_s, config.max_pause_s)


def test_a_stream_of_silence_has_no_emotion() -> None:
    active = replay(says("..."), SettingsGrid([PLAIN, SmoothingConfig()]))
    assert active.tolist() == [[-1, -1]] * 3


@pytest.fixture(scope="module")
def minute(data: Path) -> tuple[Stream, list[EmotionEvent]]:
    """The bundled minute through the pipeline: what it recorded, what it said."""
    bundle = load_bundle("open")
    recording = Model(bundle).record(read_chunks(data / "emodb_minute.flac"))
    with (data / "emodb_minute.csv").open() as file:
        segments = [
            Segment(
                round(float(row["start_ms"]) * 16),
                round(float(row["end_ms"]) * 16),
                row["emotion"],
            )
            for row in csv.DictReader(file)
        ]
    emotions = [told.event for told in recording.told]
    return Stream(recording.predictions, segments), emotions


def test_a_replay_of_real_speech_starts_what_the_pipeline_started(
    minute: tuple[Stream, list[EmotionEvent]],
) -> None:
    stream, emotions = minute
    bundle = load_bundle("open")
    active = replay(stream.predictions, SettingsGrid([bundle.thresholds]))[
        :, 0
    ].tolist()
    before = [-1, *active]
    started = [
        (bundle.labels[now], end)
        for now, last, end in zip(active, before, stream.ends, strict=False)
        if now != -1 and now != last
    ]
    starts = [(e.label, e.end) for e in emotions if e.phase is Phase.START]
    assert started == starts
    assert len(starts) > 10


def test_what_is_held_over_a_pause_counts_only_where_there_is_speech() -> None:
    stream = Stream(says("aa...aa"), [Segment(0, due(6), "angry")])
    held = replace(PLAIN, max_pause_s=1.0)
    assert replay(stream.predictions, SettingsGrid([held]))[:, 0].tolist() == [0] * 7
    found = measure([stream], LABELS, held)
    assert (found.coverage, found.right, found.recall) == (1.0, 1.0, 1.0)
    assert found.flips_per_minute == 0


def test_a_step_holds_from_when_it_falls_due() -> None:
    stream = Stream(says("aaaaaa"), [])
    assert stream.step_s == pytest.approx(0.2)
    assert stream.steps(Segment(due(1), due(3), "sad")) == slice(2, 4)
    assert stream.steps(Segment(due(1) - 1, due(3) - 1, "sad")) == slice(1, 3)


def test_segments_that_overlap_or_hold_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        Stream([], [Segment(0, 10, "sad"), Segment(9, 20, "sad")])
    with pytest.raises(ValueError, match="holds nothing"):
        Segment(5, 5, "sad")


def column(text: str) -> np.ndarray:
    """A letter a step: what is active; - for none."""
    found = [" ahs".index(c) - 1 if c != "-" else -1 for c in text]
    return np.array(found, np.int8).reshape(-1, 1)


def flips_of(
    text: str, before: str, label: str, silent: str = "", earlier: str | None = None
) -> int:
    speech = np.array([c != "." for c in silent or "x" * len(text)])
    (n,) = flips(
        column(text),
        speech,
        column(before)[0],
        LABELS.index(label),
        None if earlier is None else column(earlier)[0],
    )
    return int(n)


@pytest.mark.parametrize(
    ("active", "before", "expected"),
    [
        ("aaaaaa", "-", 0),
        ("--aaaa", "-", 0),  # the way there
        ("hhaaaa", "h", 0),  # from what was before to the right one
        ("hhssaa", "h", 1),  # by a detour
        ("--hhaa", "-", 1),  # wrong at first
        ("aahhaa", "-", 2),  # there and back
        ("aaaahh", "a", 1),  # it began right: no way there is granted
        ("aa-aa-", "-", 1),  # it goes out and comes again
        ("------", "-", 0),
        ("h-----", "h", 0),
    ],
)
def test_flips_are_what_begins_after_the_right_emotion_could_have(
    active: str, before: str, expected: int
) -> None:
    assert flips_of(active, before, "angry") == expected


def test_the_same_emotion_after_a_pause_is_no_flip_but_another_is() -> None:
    assert flips_of("aa-aa", "-", "angry", silent="xx.xx") == 0
    assert flips_of("aa-hh", "-", "angry", silent="xx.xx") == 1
    # The pause excuses one coming back, not the next.
    assert flips_of("a-aa-a", "-", "angry", silent="x.xxxx") == 1


@pytest.mark.parametrize(
    ("active", "silent", "earlier", "expected"),
    [
        ("-hhaa", ".xxxx", "h", 0),  # what was before the pause, then the change
        ("-hhaa", ".xxxx", "s", 1),  # wrong, and for the first time
        ("-hhaa", "xxxxx", "h", 1),  # no pause came before it
        ("-h-hhaa", ".x.xxxx", "h", 0),
        ("-hhaha", ".xxxxx", "h", 2),  # once the change came, back is a flip
        ("-aahh", ".xxxx", "a", 1),  # it began again with the right one
    ],
)
def test_an_emotion_from_before_a_pause_is_late_and_no_flip(
    active: str, silent: str, earlier: str, expected: int
) -> None:
    assert flips_of(active, "-", "angry", silent, earlier) == expected


def test_the_last_emotion_of_a_stretch_is_found_whatever_ended_it() -> None:
    assert [int(last_of(column(t))[0]) for t in ("ah--", "--", "s", "")] == [
        1,
        -1,
        2,
        -1,
    ]


def delay_of(text: str, before: str, label: str) -> float:
    late = np.linspace(0.1, 0.1 + 0.2 * (len(text) - 1), len(text), dtype=np.float64)
    (found,) = delay(column(text), late, column(before)[0], LABELS.index(label))
    return float(found)


def test_a_delay_ends_with_the_first_step_that_has_the_right_emotion() -> None:
    assert delay_of("hhaa", "h", "angry") == pytest.approx(0.5)
    assert delay_of("aaaa", "-", "angry") == pytest.approx(0.1)
    assert delay_of("haha", "a", "angry") == 0.0
    assert delay_of("hhhh", "-", "angry") == math.inf


def test_the_figures_of_a_small_stream_are_known() -> None:
    # Steps 0 to 9 fall due at 0.5125 s + 0.2 n; labelled angry to step 4, sad after.
    stream = Stream(
        says("aahaa.sshs"),
        [Segment(0, due(4), "angry"), Segment(due(4), due(9), "sad")],
    )
    found = measure([stream], LABELS, PLAIN)
    # Nine steps with speech, all covered, two of them wrong.
    assert found.coverage == 1.0
    assert found.accuracy == found.right == pytest.approx(7 / 9)
    # Four of five steps of angry, three of four of sad.
    assert found.recall == pytest.approx((4 / 5 + 3 / 4) / 2)
    # The first a falls due with step 0; 0.4 s from the change to the first s.
    assert found.median_delay_s == pytest.approx((FIRST / 16_000 + 0.4) / 2)
    assert (found.changes, found.missed) == (2, 0)
    # h and back among the a's, and the same among the s's: 4 in 9 x 0.2 s.
    assert found.flips_per_minute == pytest.approx(4 / (9 * 0.2 / 60))


def test_a_label_said_again_is_no_change_and_what_is_not_labelled_is_not_scored() -> (
    None
):
    stream = Stream(
        says("aahhhhaa"),
        [Segment(0, due(1), "angry"), Segment(due(5), due(7), "angry")],
    )
    found = measure([stream], LABELS, PLAIN)
    assert (found.changes, found.coverage, found.right) == (1, 1.0, 1.0)
    assert found.flips_per_minute == 0


def test_a_segment_without_its_emotion_is_a_missed_change() -> None:
    stream = Stream(says("aa...."), [Segment(due(2), due(5), "sad")])
    found = measure([stream], LABELS, PLAIN)
    assert (found.missed, found.changes) == (1, 1)
    assert found.median_delay_s == math.inf
    assert math.isnan(found.accuracy)
    asked = found.to_dict()
    assert asked["median_delay_s"] is asked["accuracy"] is None
    assert asked["coverage"] == 0


def test_an_unknown_label_is_refused() -> None:
    stream = Stream(says("aa"), [Segment(0, due(1), "boredom")])
    with pytest.raises(ValueError, match="boredom"):
        count(stream, LABELS, column("aa"))


def test_a_long_stream_is_counted_in_blocks_with_the_same_outcome(
    minute: tuple[Stream, list[EmotionEvent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = minute
    labels = load_bundle("open").labels
    settings = SettingsGrid(Grid().settings(SmoothingConfig())[:50])
    whole = tally(stream, labels, settings)
    monkeypatch.setattr(tuning_figures, "_BLOCK_BYTES", 7 * len(stream.predictions))
    blocks = tally(stream, labels, settings)
    for name in ("active", "right_of", "flips", "delays_s"):
        np.testing.assert_array_equal(getattr(blocks, name), getattr(whole, name))


def made_tally(*rows: tuple[float, float, float, float]) -> Tally:
    """A row a setting: coverage, share right, flips a minute, delay."""
    coverage, right, n_flips, delays = np.array(rows).T
    return Tally(
        np.array([1000]),
        600.0,
        np.round(1000 * coverage).astype(np.int64),
        np.round(1000 * right[None]).astype(np.int64),
        np.round(10 * n_flips).astype(np.int64),
        delays[None].astype(np.float32),
    )


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        # The largest recall, of those that cover enough and do not flicker.
        ([(0.8, 0.5, 1, 1.0), (0.8, 0.6, 1, 1.8), (0.6, 0.7, 1, 0.2)], 1),
        ([(0.8, 0.5, 1, 1.0), (0.9, 0.7, 3, 0.2)], 0),
        # On the bounds is within them.
        ([(0.7, 0.6, 2, 1.0), (0.9, 0.5, 1, 0.5)], 0),
        # A tie to a whole percent goes to the one of less delay.
        ([(0.8, 0.504, 1, 1.04), (0.8, 0.501, 1, 0.8)], 1),
        # A tie in both to the one nearest to the present settings.
        ([(0.8, 0.501, 1, 0.96), (0.9, 0.504, 0, 1.04)], 0),
        # None: the nearest, 0.35 of 0.7 lacking against 1 flip of 2 too many.
        ([(0.35, 0.6, 0, 0.1), (0.9, 0.7, 4, 0.1), (0.69, 0.5, 2, 9.0)], 2),
        # Of those about as far from the rule, the largest recall.
        ([(0.8, 0.4, 2.9, 1.0), (0.8, 0.5, 3.0, 2.5), (0.8, 0.6, 4.0, 1.0)], 1),
        # Meeting the rule comes before any recall.
        ([(0.8, 0.4, 2.0, 8.0), (0.69, 0.5, 2.0, 2.5)], 0),
        # Infinite delays are a tie.
        ([(0.8, 0.5, 1, math.inf), (0.9, 0.5, 1, math.inf)], 0),
    ],
)
def test_the_choice_follows_the_rule(
    rows: list[tuple[float, float, float, float]], best: int
) -> None:
    distance = np.arange(len(rows), dtype=float)
    assert choose(made_tally(*rows), Rule(), distance) == best


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="a share, 0 to 1"):
        Rule(min_coverage=70)
    with pytest.raises(ConfigError, match="0 or more"):
        Rule(max_flips=-1)
    with pytest.raises(ConfigError, match="0 or more"):
        Rule(max_flips=math.nan)


def noisy(seed: int, text: str) -> list[Prediction]:
    """As `says`, with every fourth step or so misheard."""
    rng = np.random.default_rng(seed)
    heard = [rng.choice(list("ahs")) if rng.random() < 0.25 else c for c in text]
    return [
        step(n, tuple(0.6 * (c == x) + 0.4 / 3 for x in "ahs"))
        for n, c in enumerate(heard)
    ]


def streams(n: int, groups: int | None = None) -> list[Stream]:
    text = "a" * 15 + "h" * 15 + "s" * 15
    marks = [0, due(14), due(29), due(44)]
    segments = [Segment(marks[i], marks[i + 1], LABELS[i]) for i in range(3)]
    return [
        Stream(noisy(i, text), segments, None if groups is None else str(i % groups))
        for i in range(n)
    ]


def test_a_search_finds_settings_that_do_not_flicker_where_the_present_ones_do() -> (
    None
):
    present = replace(PLAIN, update_s=3.0)
    found = search(streams(8), LABELS, present)
    assert found.present == present
    assert found.present_figures == measure(streams(8), LABELS, present)
    assert found.present_figures.flips_per_minute > 20
    assert found.satisfied
    assert found.best_figures == measure(streams(8), LABELS, found.best)
    assert found.best_figures.flips_per_minute <= 2
    assert found.best_figures.coverage >= 0.7
    assert found.best.update_s == 3.0
    assert found.tried == 1 + 3 * 4 * 3 * 5 * 12 * 4


def test_settings_that_are_the_best_already_stay() -> None:
    best = search(streams(8), LABELS, PLAIN).best
    again = search(streams(8), LABELS, best)
    assert again.best == best
    assert again.best_figures == again.present_figures


def test_a_rule_that_nothing_meets_is_said_so() -> None:
    # Every step is uncertain.
    never = replace(PLAIN, uncertain=0.99)
    found = search(
        streams(4), LABELS, never, Rule(min_coverage=1.0), Grid(uncertain=(0.99,))
    )
    assert not found.satisfied
    assert found.best_figures.coverage < 1


def test_held_out_figures_use_settings_chosen_without_the_group() -> None:
    # All streams but the last group flicker; whatever suits them is tried on it.
    many = streams(8, groups=4)
    found = search(many, LABELS, PLAIN)
    assert found.held_out is not None
    parts = []
    for group in range(4):
        rest = [s for s in many if s.group != str(group)]
        own = [s for s in many if s.group == str(group)]
        best = search(rest, LABELS, PLAIN).best
        parts += [tally(s, LABELS, SettingsGrid([best])) for s in own]
    assert found.held_out == Tally.sum(parts).figures()
    assert search(streams(3), LABELS, PLAIN).held_out is None


def test_a_grid_of_one_value_keeps_that_setting() -> None:
    present = replace(PLAIN, uncertain=0.45)
    found = search(streams(4), LABELS, present, grid=Grid(uncertain=(0.45,)))
    assert found.best.uncertain == 0.45


def test_without_labelled_speech_there_is_nothing_to_choose_by() -> None:
    silent = Stream(says("..."), [Segment(0, due(2), "sad")])
    with pytest.raises(ValueError, match="no speech is labelled"):
        search([silent], LABELS, PLAIN)
    with pytest.raises(ValueError, match="no speech is labelled"):
        search([], LABELS, PLAIN)
