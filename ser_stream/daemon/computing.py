"""Chunks of many streams -> what each is told of them; who fails, fails alone."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.together import StreamsError, feed_together
from ser_stream.pipeline.values import Chunk, StreamEvent


class Computed(Protocol):
    """A stream as far as it is computed."""

    pipeline: Pipeline

    def heard(self, chunk: Chunk, events: Sequence[StreamEvent], /) -> None:
        """Tell what its pipeline made of a chunk."""


S = TypeVar("S", bound=Computed)


def compute_each(work: Sequence[tuple[S, Chunk]]) -> dict[S, Exception]:
    """Feed chunks to their streams, together, and have it told.

    Returns:
        What was raised in each stream that failed, the first of it. It was told of
        the chunks before that, and of none after; all others, of all of theirs.
    """
    errors: dict[int, Exception] = {}
    try:
        found = feed_together([(stream.pipeline, chunk) for stream, chunk in work])
    except StreamsError as error:
        found, errors = error.events, dict(error.errors)
    failed: dict[S, Exception] = {}
    for i, ((stream, chunk), events) in enumerate(zip(work, found, strict=True)):
        if stream in failed:
            continue
        if i in errors:
            failed[stream] = errors[i]
            continue
        try:
            stream.heard(chunk, events)
        except Exception as error:  # noqa: BLE001  a fault of ours: the caller tells
            failed[stream] = error
    return failed
