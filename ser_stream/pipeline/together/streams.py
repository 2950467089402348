"""Chunks of several streams -> what each causes, in rounds.

In a round every stream goes on to the next thing it wants computed, or to its end; what
they want is then computed, each kind together.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from ser_stream.pipeline.computation import (
    Computation,
    Encode,
    Hear,
    MakeFrames,
    Score,
    Work,
)
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.together import framing, hearing, recognising
from ser_stream.pipeline.values import Chunk, StreamEvent

Kind = tuple[
    Callable[[Any], Hashable | None], Callable[[Sequence[Any]], Sequence[object]]
]
KINDS: dict[type, Kind] = {
    Hear: (hearing.kind, hearing.answers),
    MakeFrames: (framing.kind, framing.answers),
    Encode: (recognising.kind_of_frames, recognising.columns),
    Score: (recognising.kind_of_window, recognising.scores),
}
"""Of each computation: what those that go together have in common, None where one goes
alone; and the answers to some that do."""


class StreamsError(Exception):
    """Some of the chunks could not be worked on; all others were."""

    def __init__(
        self, events: list[list[StreamEvent]], errors: Mapping[int, Exception]
    ) -> None:
        """What came of each chunk, and by its place in the work, what was raised."""
        of = ", ".join(str(error) for error in errors.values())
        super().__init__(f"{len(errors)} of {len(events)} chunks: {of}")
        self.events = events
        self.errors = errors


def feed_together(
    work: Sequence[tuple[Pipeline, Chunk]],
) -> list[list[StreamEvent]]:
    """Feed chunks of several streams; what each causes, in the order given.

    A pipeline may be there more than once, its chunks in order. The same events as of
    `Pipeline.feed`, one after the other; scores differ by rounding where more than one
    stream has a step.

    Raises:
        StreamsError: if `Pipeline.feed` would raise for a chunk. The others were fed,
            and what they caused is in `events`.
    """
    events: list[list[StreamEvent]] = [[] for _ in work]
    errors: dict[int, Exception] = {}
    streams: dict[int, _Stream] = {}
    for i, (pipeline, chunk) in enumerate(work):
        stream = streams.get(id(pipeline))
        if stream is None:
            # Most chunks only wait for the next.
            try:
                if pipeline.absorb(chunk):
                    continue
            except Exception as error:  # noqa: BLE001  whatever: it is told who
                errors[i] = error
                continue
            stream = streams[id(pipeline)] = _Stream(pipeline)
        stream.chunks.append((i, chunk))
    waiting = [s for s in streams.values() if s.go_on(None, events, errors)]
    while waiting:
        answers = _answers([s.wanted for s in waiting])
        waiting = [
            stream
            for stream, answer in zip(waiting, answers, strict=True)
            if stream.go_on(answer, events, errors)
        ]
    if errors:
        raise StreamsError(events, dict(sorted(errors.items())))
    return events


class _Stream:
    """One pipeline and its chunks."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.chunks: deque[tuple[int, Chunk]] = deque()
        self._work: Work[list[StreamEvent]] | None = None
        self._at = 0
        self.wanted: Computation
        """What it waits for."""

    def go_on(
        self,
        answer: object,
        events: list[list[StreamEvent]],
        errors: dict[int, Exception],
    ) -> bool:
        """With the answer to what it wanted; whether it wants something else."""
        while True:
            if self._work is None:
                if not self.chunks:
                    return False
                self._at, chunk = self.chunks.popleft()
                self._work, answer = self._pipeline.work_on(chunk), None
            try:
                if isinstance(answer, _Failed):
                    self.wanted = self._work.throw(answer.error)
                else:
                    self.wanted = self._work.send(answer)
            except StopIteration as end:
                events[self._at] = end.value
            except Exception as error:  # noqa: BLE001  whatever: it is told who
                errors[self._at] = error
            else:
                return True
            self._work = None


class _Failed:
    """In place of an answer."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _answers(wanted: Sequence[Computation]) -> list[object]:
    """The answer to each, or what failed."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for i, one in enumerate(wanted):
        kind, _ = KINDS[type(one)]
        of = kind(one)
        groups[(type(one), i if of is None else of, of is None)].append(i)
    found: list[object] = [None] * len(wanted)
    for which in groups.values():
        some = [wanted[i] for i in which]
        try:
            # Alone, it is computed as it always was, to the last bit.
            if len(some) == 1:
                found[which[0]] = some[0].alone()
                continue
            _, together = KINDS[type(some[0])]
            for i, answer in zip(which, together(some), strict=True):
                found[i] = answer
        except Exception as error:  # noqa: BLE001  whatever ONNX Runtime raises
            for i in which:
                found[i] = _Failed(error)
    return found
