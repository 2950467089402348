"""Who was told what, over the last minutes, in milliseconds of audio."""

from bisect import bisect_left
from dataclasses import dataclass, field

KEPT_MS = 600_000
"""Milliseconds that are kept; more than any terminal shows."""
NO_SPEECH, UNCERTAIN, UNDECIDED, UNTOLD = "no_speech", "uncertain", "undecided", ""
"""What a cell has besides the name of an emotion: nobody speaks; the step is not sure;
it is, but no emotion is steady yet; nothing was told."""


@dataclass
class Span:
    """One steady emotion; `end_ms` is how far it has been told."""

    id: int
    label: str
    start_ms: float
    end_ms: float
    over: bool = False


@dataclass
class Timeline:
    spans: list[Span] = field(default_factory=list)
    _ends: list[float] = field(default_factory=list)
    _states: list[str] = field(default_factory=list)

    def step(self, end_ms: float, state: str) -> None:
        """One prediction: what it says by itself, without what is steady."""
        self._ends.append(end_ms)
        self._states.append(state)
        old = bisect_left(self._ends, end_ms - KEPT_MS)
        if old > 500:  # not a little each time
            del self._ends[:old], self._states[:old]
            self.spans = [s for s in self.spans if s.end_ms > end_ms - KEPT_MS]

    def emotion(
        self, id: int, label: str, start_ms: float, end_ms: float, *, over: bool
    ) -> None:
        """A steady emotion, from its start as far as it is known now."""
        span = Span(id, label, start_ms, end_ms, over)
        if self.spans and self.spans[-1].id == id:
            self.spans[-1] = span
        else:
            self.spans.append(span)

    def cells(
        self, count: int, start_ms: float, end_ms: float, step_ms: float
    ) -> list[str]:
        """What was told in each of `count` equal parts of a stretch.

        The emotion that has most of a part has it; else the step at its middle does.
        """
        width = (end_ms - start_ms) / count
        return [
            self._cell(start_ms + n * width, start_ms + (n + 1) * width, step_ms)
            for n in range(count)
        ]

    def _cell(self, start: float, end: float, step_ms: float) -> str:
        shares = [
            (min(end, span.end_ms) - max(start, span.start_ms), span.label)
            for span in reversed(self.spans)
            if span.end_ms > start and span.start_ms < end
        ]
        most = max(shares, default=(0.0, UNTOLD))
        if most[0] > 0:
            return most[1]
        middle = (start + end) / 2
        found = bisect_left(self._ends, middle)
        if found == len(self._ends) or self._ends[found] - step_ms - 1 > middle:
            return UNTOLD
        return self._states[found]
