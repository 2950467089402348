"""How good settings are on labelled streams: coverage, recall, delay, flips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.tuning.replay import NONE, SettingsGrid, replay
from ser_stream.tuning.streams import Stream

Counts = NDArray[np.int64]
_REACH = 100
"""Steps that are looked back for an emotion; 20 s with the default step."""
_BLOCK_BYTES = 1 << 26
"""How much of a replay is held at once."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a listener gets with one choice of settings.

    Time is counted in steps with speech that fall due within labelled segments.
    """

    coverage: float
    """Share of that time during which an emotion is active, 0 to 1."""
    accuracy: float
    """Share of the covered time during which it is the right one; NaN if none is."""
    right: float
    """Share of all that time during which the right emotion is active."""
    recall: float
    """The same for each label that was said, and the mean of these."""
    median_delay_s: float
    """From a change to the right emotion, seconds; a missed change is infinite.

    A change is the beginning of a segment whose label is not that of the segment
    before it in its stream, the first segment included.
    """
    missed: int
    """Changes whose emotion never came before their segment ended."""
    changes: int
    flips_per_minute: float
    """Emotions that begin within a segment, save the one it takes to arrive, per
    minute of that time. It takes none where the segment begins with the right emotion
    going on. The same emotion again after a pause in speech is no flip."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what is infinite or not a number is None."""
        return {
            name: value if math.isfinite(value) else None
            for name in self.__slots__
            for value in (getattr(self, name),)
        }


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What figures are made of, summed over streams; arrays over the settings."""

    speech_of: Counts
    """Steps with speech within segments of each label, (n_labels,)."""
    speech_s: float
    active: Counts
    """Of these, steps with an emotion active, (n_settings,)."""
    right_of: Counts
    """Of these, steps with the right one, (n_labels, n_settings)."""
    flips: Counts
    delays_s: NDArray[np.float32]
    """(n_changes, n_settings); infinite where the change was missed."""

    @classmethod
    def sum(cls, parts: Sequence[Self]) -> Self:
        """Pool the tallies of several streams, one or more."""
        return cls(
            np.sum([part.speech_of for part in parts], axis=0),
            sum(part.speech_s for part in parts),
            np.sum([part.active for part in parts], axis=0),
            np.sum([part.right_of for part in parts], axis=0),
            np.sum([part.flips for part in parts], axis=0),
            np.concatenate([part.delays_s for part in parts]),
        )

    def only(self, index: int) -> "Tally":
        one = slice(index, index + 1)
        return replace(
            self,
            active=self.active[one],
            right_of=self.right_of[:, one],
            flips=self.flips[one],
            delays_s=self.delays_s[:, one],
        )

    @property
    def speech(self) -> int:
        return int(self.speech_of.sum())

    # As in `Figures`, (n_settings,).

    @property
    def coverage(self) -> NDArray[np.float64]:
        return self.active / max(1, self.speech)

    @property
    def right_share(self) -> NDArray[np.float64]:
        share: NDArray[np.float64] = self.right_of.sum(axis=0) / max(1, self.speech)
        return share

    @property
    def recall(self) -> NDArray[np.float64]:
        said = self.speech_of > 0
        if not said.any():
            return np.zeros(self.active.shape)
        shares = self.right_of[said] / self.speech_of[said, None]
        mean: NDArray[np.float64] = shares.mean(axis=0)
        return mean

    @property
    def flips_per_minute(self) -> NDArray[np.float64]:
        minutes = self.speech_s / 60
        rate: NDArray[np.float64] = self.flips / (minutes or 1.0)
        return rate

    @property
    def median_delay_s(self) -> NDArray[np.float64]:
        if not len(self.delays_s):
            return np.full(self.active.shape, np.inf)
        median: NDArray[np.float64] = np.median(self.delays_s, axis=0).astype(float)
        return median

    def figures(self, index: int = 0) -> Figures:
        one = self.only(index)
        active, right = int(one.active[0]), int(one.right_of.sum())
        return Figures(
            coverage=float(one.coverage[0]),
            accuracy=right / active if active else math.nan,
            right=float(one.right_share[0]),
            recall=float(one.recall[0]),
            median_delay_s=float(one.median_delay_s[0]),
            missed=int(np.isinf(one.delays_s).sum()),
            changes=len(one.delays_s),
            flips_per_minute=float(one.flips_per_minute[0]),
        )


def tally(stream: Stream, labels: Sequence[str], settings: SettingsGrid) -> Tally:
    """Replay one stream with all the settings, and count.

    Raises:
        ValueError: if a segment's label is none of the model's.
    """
    size = max(1, _BLOCK_BYTES // max(1, len(stream.predictions)))
    parts = []
    for start in range(0, len(settings), size):
        part = SettingsGrid(settings.configs[start : start + size])
        active = replay(stream.predictions, part)
        parts.append(count(stream, labels, active))
    return replace(
        parts[0],
        active=np.concatenate([part.active for part in parts]),
        right_of=np.concatenate([part.right_of for part in parts], axis=1),
        flips=np.concatenate([part.flips for part in parts]),
        delays_s=np.concatenate([part.delays_s for part in parts], axis=1),
    )


def count(stream: Stream, labels: Sequence[str], active: NDArray[np.int8]) -> Tally:
    """Count what was active against what was labelled.

    Args:
        stream: with the labelled segments.
        labels: of the model, in the order of its scores.
        active: index of the active label or -1, (n_steps, n_settings).
    """
    n_settings = active.shape[1]
    n_speech = np.zeros(len(labels), np.int64)
    n_right = np.zeros((len(labels), n_settings), np.int64)
    n_active, n_flips = np.zeros((2, n_settings), np.int64)
    nothing = np.full(n_settings, NONE, np.int8)
    delays = []
    before_label: str | None = None
    for segment in stream.segments:
        label, steps = list(labels).index(segment.label), stream.steps(segment)
        within, speech = active[steps], stream.speech[steps]
        before = active[steps.start - 1] if steps.start else nothing
        # An emotion is held over a pause, but only speech is counted.
        spoken = within[speech]
        n_speech[label] += len(spoken)
        n_active += (spoken != NONE).sum(axis=0)
        n_right[label] += (spoken == label).sum(axis=0)
        n_flips += flips(within, speech, before, label, last_of(active[: steps.start]))
        if segment.label != before_label:
            late = (stream.ends[steps] - segment.start) / SAMPLE_RATE
            delays.append(delay(within, late, before, label))
        before_label = segment.label
    return Tally(
        n_speech,
        int(n_speech.sum()) * stream.step_s,
        n_active,
        n_right,
        n_flips,
        np.array(delays, np.float32).reshape(-1, n_settings),
    )


def delay(
    within: NDArray[np.int8],
    late_s: NDArray[np.float64],
    before: NDArray[np.int8],
    label: int,
) -> NDArray[np.float64]:
    """Seconds until the right emotion is active, (n_settings,); infinite if never.

    Args:
        within: what is active after the steps of a segment, (n_steps, n_settings).
        late_s: how long after the segment's start each step falls due, (n_steps,).
        before: what was active when the segment began, (n_settings,).
        label: the right one.
    """
    right = np.concatenate([(before == label)[None], within == label])
    times = np.concatenate([[0.0], late_s])
    return np.where(right.any(axis=0), times[right.argmax(axis=0)], np.inf)


def last_of(active: NDArray[np.int8]) -> NDArray[np.int8]:
    """The last emotion that was active, (n_settings,), of (n_steps, n_settings)."""
    result = np.full(active.shape[1], NONE, np.int8)
    for row in reversed(active[-_REACH:]):
        result = np.where(result == NONE, row, result)
    return result


def flips(
    within: NDArray[np.int8],
    speech: NDArray[np.bool_],
    before: NDArray[np.int8],
    label: int,
    earlier: NDArray[np.int8] | None = None,
) -> Counts:
    """Emotions that begin within a segment though it has one label, (n_settings,).

    What was active before the segment and begins again after a pause, until another
    emotion comes, is no flip and no arrival: it only has not been noticed yet.

    Args:
        within: what is active after the steps of the segment, (n_steps, n_settings).
        speech: whether each step has speech, (n_steps,).
        before: what was active when the segment began, (n_settings,).
        label: the right one.
        earlier: the last emotion before the segment, going on or ended by a pause,
            (n_settings,); None: `before`.
    """
    earlier = before if earlier is None else earlier
    result = np.zeros(before.shape, np.int64)
    # The emotion that a new one is compared with. The first change away from what a
    # segment did not begin right with is the way there, so there is none as yet.
    heard = np.where(before == label, before, np.int8(NONE))
    paused = np.zeros(before.shape, np.bool_)
    for (last, now), voice in zip(
        pairwise([before, *within]), speech.tolist(), strict=True
    ):
        if not voice:
            paused[:] = True
            continue
        begins = (now != NONE) & (now != last)
        begins &= ~(paused & (heard == NONE) & (now == earlier) & (now != label))
        result += begins & (heard != NONE) & ((now != heard) | ~paused)
        heard = np.where(begins, now, heard)
        paused &= now == NONE
    return result
