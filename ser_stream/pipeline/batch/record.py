"""Recordings, long ones and many short ones -> what the live pipeline says of them."""

from collections.abc import Iterable, Iterator

import numpy as np

from ser_stream.pipeline.batch.scored import Scored, features_of
from ser_stream.pipeline.batch.steps import Step, Steps
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.recording import Recording
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

CUT_LENGTH = 15 * SAMPLE_RATE
"""Samples of a recording in one go, which bounds the memory; more is not faster."""
RECORDINGS_AT_ONCE = 16
"""Of those that are shorter, so many are scored together."""
MOST_COLUMNS = 8000
"""In the windows of those, some 12 MB."""


def record_whole(
    samples: FloatArray | Iterable[FloatArray],
    recognizer: Recognizer,
    front_end: FrontEndConfig,
    config: PipelineConfig | None = None,
    speaker: Speaker | None = None,
    kind: type[Recording] = Recording,
) -> Recording:
    """As `record`, in less time: nobody waits for its steps.

    Args:
        samples: mono at 16 kHz, (n,), or pieces of it one after the other.
        recognizer: see `Pipeline`, as of the others.
        front_end: that the recognizer was trained on.
        config: how often to predict, over how much, and how steady.
        speaker: somebody who was heard before; by default nobody was.
        kind: what to note; `Summary` needs no more memory for longer recordings.
    """
    config = config or PipelineConfig()
    one = _One(samples, recognizer, front_end, config, speaker, kind)
    while one.steps is not None:
        one.scored.take(one.steps, features_of(recognizer, one.steps))
        one.next()
    return one.finish()


def record_each(
    recordings: Iterable[FloatArray | Iterable[FloatArray]],
    recognizer: Recognizer,
    front_end: FrontEndConfig,
    config: PipelineConfig | None = None,
    kind: type[Recording] = Recording,
) -> Iterator[Recording]:
    """As `record_whole` for each of many, in their order; clips are scored together.

    At most 16 are taken before the first is given, and fewer if they are longer.
    """
    config, waiting = config or PipelineConfig(), list[_One]()

    def scored() -> Iterator[Recording]:
        steps = [step for one in waiting for step in one.steps or ()]
        features, at = features_of(recognizer, steps), 0
        for one in waiting:
            n = len(one.steps or ())
            one.scored.take(one.steps or (), features[at : at + n])
            at += n
            one.next()
            while one.steps is not None:
                one.scored.take(one.steps, features_of(recognizer, one.steps))
                one.next()
            yield one.finish()
        waiting.clear()

    for samples in recordings:
        waiting.append(_One(samples, recognizer, front_end, config, None, kind))
        held = sum(one.size for one in waiting)
        full = len(waiting) == RECORDINGS_AT_ONCE or held > MOST_COLUMNS
        if full or not waiting[-1].whole:
            yield from scored()
    yield from scored()


class _One:
    """One recording, of which a cut at a time is made to steps."""

    def __init__(
        self,
        samples: FloatArray | Iterable[FloatArray],
        recognizer: Recognizer,
        front_end: FrontEndConfig,
        config: PipelineConfig,
        speaker: Speaker | None,
        kind: type[Recording],
    ) -> None:
        self._maker = Steps(recognizer, front_end, config)
        self.scored = Scored(
            recognizer, config, self._maker.max_columns, speaker, kind()
        )
        pieces = [samples] if isinstance(samples, np.ndarray) else samples
        self._cuts = cuts(pieces)
        self._due = recognizer.geometry.first_step
        self._end = 0
        self.whole = False
        """Whether there is nothing more behind `steps`."""
        self.steps: list[Step] | None = None
        """Those of the present cut; None when all were given."""
        self.next()

    def next(self) -> None:
        """Go on to the next cut."""
        self.steps = None
        if self.whole:
            return
        cut, recording = next(self._cuts), self.scored.recording
        self.whole = len(cut) < CUT_LENGTH
        recording.n_samples += len(cut)
        self._end = recording.n_samples
        if self.whole and self._end < self._due:
            recording.short = True
            cut = np.pad(cut, (0, self._due - self._end))
            self._end = self._due
        self.steps = self._maker.feed(cut)

    @property
    def size(self) -> int:
        """Columns in the windows of the present cut."""
        steps = self.steps or ()
        return sum(len(s.columns) for s in steps if s.columns is not None)

    def finish(self) -> Recording:
        """What was said of it, at its end."""
        return self.scored.finish(self._maker.speech_samples, self._end)


def cuts(pieces: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Pieces of any length -> cuts of 15 s, and a last one that is shorter, or empty.

    None has more than is asked for: of a long recording as much is held.
    """
    length, held, n = CUT_LENGTH, list[FloatArray](), 0
    for piece in pieces:
        at = 0
        while len(piece) - at >= length - n:
            end = at + length - n
            yield np.concatenate([*held, piece[at:end]])
            held, n, at = [], 0, end
        held.append(piece[at:])
        n += len(piece) - at
    yield np.concatenate([*held, np.zeros(0, np.float32)])
