"""The windows of one turn -> their columns, many of which are in several windows."""

from dataclasses import dataclass, field

import numpy as np

from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.recognizer import OnnxRecognizer, Recognizer
from ser_stream.pipeline.values import EncoderState, FloatArray

COLUMNS_AT_ONCE = 16
"""To encode in one call; what the layers of more make does not stay in the cache."""


@dataclass(slots=True, eq=False)
class Run:
    """Frames in a row."""

    first: int
    """Index of the first of them."""
    frames: FloatArray
    """(n, n_features)."""

    def up_to(self, end: int, count: int) -> FloatArray:
        """The last `count` frames before index `end`; zeros for what is not there."""
        at = end - count - self.first
        cut = self.frames[max(0, at) : end - self.first]
        return np.pad(cut, ((count - len(cut), 0), (0, 0))) if at < 0 else cut


@dataclass(slots=True, eq=False)
class Turn:
    """A stretch of speech, whose columns are encoded as far as windows ask for."""

    run: int
    """Number of the run of frames that it lies in."""
    first: int
    """Index of the first column that is here; the next to encode, if there is none."""
    columns: FloatArray = field(
        default_factory=lambda: np.zeros((0, 0, 0), np.float32), repr=False
    )
    """Those that are here, (n, ...)."""
    state: EncoderState | None = None
    windows: list[tuple[int, int]] = field(default_factory=list)
    """Of the present cut: indices of first and last column."""

    def fill(self, recognizer: Recognizer, run: Run) -> list[FloatArray]:
        """The columns of the windows asked for, each (n, ...), in their order."""
        if recognizer.geometry.whole:
            found = [self._whole(recognizer, run, *window) for window in self.windows]
        else:
            self._encode(recognizer, run)
            found = [
                self.columns[first - self.first : last + 1 - self.first]
                for first, last in self.windows
            ]
        self.windows = []
        return found

    def forget(self, keep: int) -> None:
        """Forget all but the newest `keep` columns, which later windows may have."""
        surplus = max(0, len(self.columns) - keep)
        self.columns = self.columns[surplus:].copy()
        self.first += surplus

    def _whole(
        self, recognizer: Recognizer, run: Run, first: int, last: int
    ) -> FloatArray:
        n = last - first + 1
        frames = _frames(recognizer.geometry, run, last, n, cold=True)
        return _encoded(recognizer, frames, None)[0]

    def _encode(self, recognizer: Recognizer, run: Run) -> None:
        parts = [self.columns] if len(self.columns) else []
        at = self.first + len(self.columns)
        end = max((last for _, last in self.windows), default=-1) + 1
        while at < end:
            n = min(COLUMNS_AT_ONCE, end - at)
            cold = self.state is None
            frames = _frames(recognizer.geometry, run, at + n - 1, n, cold=cold)
            columns, self.state = _encoded(recognizer, frames, self.state)
            parts.append(columns)
            at += n
        if parts:
            self.columns = np.concatenate(parts)


def _encoded(
    recognizer: Recognizer, frames: FloatArray, state: EncoderState | None
) -> tuple[FloatArray, EncoderState]:
    if isinstance(recognizer, OnnxRecognizer):
        return recognizer.encode_many(frames, state)
    return recognizer.encode(frames, state)


def _frames(
    geometry: Geometry, run: Run, last: int, n: int, *, cold: bool
) -> FloatArray:
    """What the encoder wants for `n` columns, the last of which is column `last`."""
    extra = geometry.cold_frames if cold else geometry.kept_frames
    count = geometry.frames_per_column * n + extra
    return run.up_to(geometry.n_frames(last + 1), count)
