"""What a step wants computed, asked for and not done: for one stream, or with others'.

What decides in a stream is a generator. It yields such a wish wherever much is to be
computed, and is sent the answer. `answered` computes each at once; the streams of
`ser_stream.pipeline.together` wait for each other's.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ser_stream.pipeline.values import Block, EncoderState, FloatArray

if TYPE_CHECKING:
    from ser_stream.pipeline.detector import Detector
    from ser_stream.pipeline.front_end import FrontEnd
    from ser_stream.pipeline.recognizer import Recognizer
    from ser_stream.pipeline.speaker import Speaker

T = TypeVar("T")


class Computation(Protocol):
    """One of the four below."""

    def alone(self) -> Any:
        """The answer, computed by itself."""


Work = Generator[Computation, Any, T]
"""What yields computations, is sent their answers, and returns."""


def answered(work: Work[T]) -> T:
    """What `work` returns, each of its computations done at once."""
    try:
        wanted = next(work)
        while True:
            wanted = work.send(wanted.alone())
    except StopIteration as end:
        result: T = end.value
        return result


@dataclass(slots=True, eq=False)
class Hear:
    """How likely the next samples are speech; see `Detector.feed`."""

    detector: "Detector"
    samples: FloatArray
    end: int

    def alone(self) -> FloatArray:
        """Probabilities of the frames that the samples complete."""
        return self.detector.feed(self.samples, self.end)


@dataclass(slots=True, eq=False)
class MakeFrames:
    """The frames of one or more blocks in a row; see `FrontEnd.feed_many`."""

    front_end: "FrontEnd"
    blocks: Sequence[Block]

    def alone(self) -> list[tuple[int, FloatArray]]:
        """In a row: the index of the first frame of some, and the frames."""
        return [self.front_end.feed_many(self.blocks)]


@dataclass(slots=True, eq=False)
class Encode:
    """Columns of frames; see `Recognizer.encode`."""

    recognizer: "Recognizer"
    frames: FloatArray
    state: EncoderState | None

    def alone(self) -> tuple[FloatArray, EncoderState]:
        """The columns, and what the encoder keeps."""
        return self.recognizer.encode(self.frames, self.state)


@dataclass(slots=True, eq=False)
class Score:
    """Scores of a window, which its speaker takes in; see `Recognizer.scores`."""

    recognizer: "Recognizer"
    columns: FloatArray
    speaker: "Speaker"

    def alone(self) -> FloatArray:
        """Probabilities, (n_classes,)."""
        return self.recognizer.scores(self.columns, self.speaker)
