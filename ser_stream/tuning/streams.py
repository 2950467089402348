"""What is searched upon: recorded predictions, and what was labelled of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.values import SAMPLE_RATE, Prediction

DEFAULT_STEP = 3200
"""Samples; of a stream too short to tell."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A span that carries one emotion, as a person labelled it."""

    start: int
    """Sample index of its first sample."""
    end: int
    """Sample index after its last sample."""
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a segment from {self.start} to {self.end} holds nothing")


@dataclass(frozen=True, eq=False)
class Stream:
    """One run of the pipeline from beginning to end."""

    predictions: Sequence[Prediction]
    """All of them, silence too, in order of time."""
    segments: Sequence[Segment]
    """In order of time, without overlap; what lies between them is not scored."""
    group: str | None = None
    """Streams of one group (a speaker) are held out together; None: by itself."""

    def __post_init__(self) -> None:
        for one, next_ in pairwise(self.segments):
            if next_.start < one.end:
                raise ValueError(f"segments overlap: {one} and {next_}")

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Sample index at which each step fell due, shape (n_steps,)."""
        return np.array([p.end for p in self.predictions], np.int64)

    @cached_property
    def speech(self) -> NDArray[np.bool_]:
        """Whether each step has speech, shape (n_steps,)."""
        return np.array([p.scores is not None for p in self.predictions], np.bool_)

    @cached_property
    def step_s(self) -> float:
        """Time between two predictions, seconds."""
        steps = np.diff(self.ends)
        return float(np.median(steps) if len(steps) else DEFAULT_STEP) / SAMPLE_RATE

    def steps(self, segment: Segment) -> slice:
        """The steps that fall due within a segment.

        What a step says holds from the moment it falls due: this is what a listener
        has at that time, not what was said of that time afterwards.
        """
        first, last = np.searchsorted(self.ends, (segment.start, segment.end), "right")
        return slice(int(first), int(last))
