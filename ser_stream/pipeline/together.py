"""Many streams, whose steps that fall due together are computed together."""

from collections.abc import Sequence

from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.values import Chunk, StreamEvent


def feed_together(
    work: Sequence[tuple[Pipeline, Chunk]],
) -> list[list[StreamEvent]]:
    """Feed chunks of several streams; what each causes, in the order given.

    A pipeline may be there more than once, its chunks in order. The same events as of
    `Pipeline.feed`, one after the other.
    """
    return [pipeline.feed(chunk) for pipeline, chunk in work]
