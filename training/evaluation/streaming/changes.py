"""M5 and M6: how late a change of emotion is told, and how often one that is none.

The definitions are in docs/benchmark.md. Flips are counted as `ser-stream tune` does.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_stream.pipeline.recording import Recording, Told
from ser_stream.pipeline.values import SAMPLE_RATE, Phase
from ser_stream.tuning.figures import flips, last_of
from ser_stream.tuning.replay import NONE
from ser_stream.tuning.streams import Segment, Stream
from training.evaluation.bootstrap import finite, over_speakers


@dataclass(frozen=True, slots=True)
class Delay:
    """One change of emotion."""

    label: str
    seconds: float
    """From its first voiced sample to the event; infinite where none came in time."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One stream."""

    speaker: str
    step_s: float
    speech: int
    """Steps at which the speech gate was open."""
    active: int
    """Of these, steps with an emotion going on."""
    right: int
    """Of these, steps with the right one."""
    spoken: int
    """Steps that fall due within an utterance, speech or not."""
    spoken_active: int
    """Of these, steps with an emotion going on."""
    flips: int
    flips_with_returns: int
    """Those, too, in which the emotion before a change begins again after a pause."""
    delays: list[Delay]


Statistic = Callable[[Sequence[Counted]], float]


def delays(told: Sequence[Told], segments: Sequence[Segment]) -> list[Delay]:
    """The delay of every change: of every segment but the first.

    A change is told by the first `start` of an emotion with the new label before the
    next change. An emotion that was already going on does not tell a change, though
    its label be the new one: it was wrong until then.
    """
    result = []
    for segment in segments[1:]:
        times = [
            t.at
            for t in told
            if t.event.phase is Phase.START
            and t.event.label == segment.label
            and segment.start < t.at <= segment.end
        ]
        late = (times[0] - segment.start) / SAMPLE_RATE if times else math.inf
        result.append(Delay(segment.label, late))
    return result


def count(
    recording: Recording,
    segments: Sequence[Segment],
    utterances: Sequence[Segment],
    labels: Sequence[str],
    speaker: str,
) -> Counted:
    """Count one stream; segments and utterances are as `Joined` has them."""
    stream = Stream(recording.predictions, segments, speaker)
    index = {label: i for i, label in enumerate(labels)}
    active = np.array(
        [NONE if a is None else index[a] for a in active_labels(recording)], np.int8
    )
    truth = np.full(len(active), NONE, np.int8)
    n_flips = n_with_returns = 0
    for segment in segments:
        steps = stream.steps(segment)
        truth[steps] = index[segment.label]
        before = active[steps.start - 1] if steps.start else NONE
        # What may come back after a pause without being a flip: the emotion of before.
        free, nothing = last_of(active[: steps.start, None]), np.array([NONE], np.int8)
        with_and_without = [
            flips(
                active[steps][:, None],
                stream.speech[steps],
                np.array([before], np.int8),
                index[segment.label],
                allowed,
            )[0]
            for allowed in (free, nothing)
        ]
        n_flips += int(with_and_without[0])
        n_with_returns += int(with_and_without[1])
    spoken = np.zeros(len(active), bool)
    for utterance in utterances:
        spoken[stream.steps(utterance)] = True
    on = active != NONE
    return Counted(
        speaker=speaker,
        step_s=stream.step_s,
        speech=int(stream.speech.sum()),
        active=int((on & stream.speech).sum()),
        right=int((on & stream.speech & (active == truth)).sum()),
        spoken=int(spoken.sum()),
        spoken_active=int((on & spoken).sum()),
        flips=n_flips,
        flips_with_returns=n_with_returns,
        delays=delays(recording.told, segments),
    )


def active_labels(recording: Recording) -> list[str | None]:
    """The emotion that a subscriber knows of after each prediction; None without."""
    result: list[str | None] = []
    told = iter(recording.told)
    following = next(told, None)
    active: str | None = None
    for prediction in recording.predictions:
        while following is not None and following.at <= prediction.end:
            ended = following.event.phase is Phase.END
            active = None if ended else following.event.label
            following = next(told, None)
        result.append(active)
    return result


def summarize(streams: Sequence[Counted]) -> dict[str, Any]:
    """The figures of M5 and M6 over streams, with intervals over speakers.

    Times are None where they are infinite: the change at that rank was missed.
    """
    speakers = [one.speaker for one in streams]
    every = [(delay, one.speaker) for one in streams for delay in one.delays]
    seconds = [delay.seconds for delay, _ in every]
    whose = [speaker for _, speaker in every]
    told = [s for s in seconds if math.isfinite(s)]
    asked = Counter(delay.label for delay, _ in every)
    missed = Counter(d.label for d, _ in every if math.isinf(d.seconds))

    def with_interval(name: str, statistic: Statistic) -> dict[str, Any]:
        return {
            name: finite(statistic(streams), 3),
            f"{name}_interval": over_speakers(streams, speakers, statistic),
        }

    return {
        "streams": len(streams),
        "speakers": len(set(speakers)),
        "changes": len(seconds),
        "missed": len(seconds) - len(told),
        "missed_share": finite(_share(len(seconds) - len(told), len(seconds)), 3),
        "median_delay_s": finite(quantile(seconds, 0.5), 3),
        "median_delay_s_interval": over_speakers(
            seconds, whose, lambda values: quantile(values, 0.5)
        ),
        "p90_delay_s": finite(quantile(seconds, 0.9), 3),
        "median_delay_of_told_s": finite(quantile(told, 0.5), 3),
        **with_interval("coverage", _ratio("active", "speech")),
        **with_interval("coverage_of_utterances", _ratio("spoken_active", "spoken")),
        **with_interval("accuracy_while_active", _ratio("right", "active")),
        **with_interval("flips_per_minute", _flips("speech")),
        "flips_per_minute_of_utterances": finite(_flips("spoken")(streams), 3),
        "flips_per_minute_with_returns": finite(
            _flips("speech", "flips_with_returns")(streams), 3
        ),
        "flips": sum(one.flips for one in streams),
        "speech_minutes": round(sum(s.speech * s.step_s for s in streams) / 60, 2),
        "utterance_minutes": round(sum(s.spoken * s.step_s for s in streams) / 60, 2),
        "by_label": {
            label: {"changes": asked[label], "missed": missed[label]}
            for label in sorted(asked)
        },
        "delays_s": sorted(round(s, 3) for s in told),
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The order statistic above a share of the values; NaN of none.

    Of an even number the upper median, since between a number and infinity there is no
    mean.
    """
    if not len(values):
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


def _ratio(part: str, whole: str) -> Statistic:
    return lambda streams: _share(
        sum(getattr(s, part) for s in streams), sum(getattr(s, whole) for s in streams)
    )


def _flips(steps: str, which: str = "flips") -> Statistic:
    return lambda streams: _share(
        sum(getattr(s, which) for s in streams),
        sum(getattr(s, steps) * s.step_s for s in streams) / 60,
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
