"""Frames -> the window of encoder frames (CPAC: capsule columns) of a prediction.

The window is the columns since speech began, less a pre-roll, at most `max_columns`. It
keeps the frames too, so that nothing need be encoded before speech begins.
"""

import numpy as np

from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.mfcc import N_MFCC
from ser_stream.pipeline.values import EncoderState, FloatArray


class ColumnWindow:
    """Keeps recent frames, and the encoded columns of the present speech.

    Memory that is not there yet reads as zeros, which matters only for the frames that
    a cold encoder is given and does not look at.
    """

    def __init__(
        self,
        max_columns: int | None = None,
        n_features: int = N_MFCC,
        geometry: Geometry = CPAC,
    ) -> None:
        self.geometry = geometry
        self.max_columns = max_columns or geometry.max_columns
        size = geometry.frames_per_column * self.max_columns + geometry.cold_frames
        size += geometry.spare_frames
        self._frames = np.zeros((size, n_features), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget frames and columns, as at a gap."""
        self._end_frame: int | None = None
        self._n_frames = 0
        self.clear()

    def clear(self) -> None:
        """Forget the columns; the frames stay for the pre-roll."""
        self._first = 0
        self._columns: FloatArray | None = None
        self.state: EncoderState | None = None

    def push(self, first: int, frames: FloatArray) -> None:
        """Append the frames of a block; `first` is the index of the first of them."""
        n = len(frames)
        self._frames[:-n] = self._frames[n:]
        self._frames[-n:] = frames
        self._n_frames = min(self._n_frames + n, len(self._frames))
        self._end_frame = first + n

    def take_over_from(self, other: "ColumnWindow") -> None:
        """Take over the frames of `other`, to be encoded anew from its beginning."""
        n = min(len(self._frames), len(other._frames))
        self._frames[-n:] = other._frames[-n:]
        self._n_frames = min(n, other._n_frames)
        self._end_frame = other._end_frame
        if other.started:
            self.begin(other.start)

    @property
    def newest(self) -> int:
        """Index of the newest column whose frames are all here."""
        if self._end_frame is None:
            return -1
        return self.geometry.columns_in(self._end_frame) - 1

    def _oldest(self) -> int:
        if self._end_frame is None:
            return 0
        per_column = self.geometry.frames_per_column
        return -(-(self._end_frame - self._n_frames) // per_column)

    @property
    def started(self) -> bool:
        """Whether the window has begun."""
        return self._columns is not None

    def begin(self, start: int) -> None:
        """Begin a window whose columns start at sample `start` or later."""
        self.clear()
        self._first = max(-(-start // self.geometry.column_hop), self._oldest())
        self._columns = np.zeros((0, 0, 0), np.float32)

    def pending(self) -> FloatArray | None:
        """Frames of the columns still to encode; None if there are none.

        Shape (8 n + 2, n_features) where `state` holds what the encoder kept, else
        (8 n + 34, n_features), with CPAC's geometry.
        """
        if self._columns is None or self._end_frame is None:
            return None
        geometry, newest = self.geometry, self.newest
        oldest = max(self._oldest(), newest - self.max_columns + 1)
        encoded = self._first + len(self._columns)
        if max(encoded, oldest) > newest:
            return None
        todo = max(self._first if geometry.whole else encoded, oldest)
        if geometry.whole or todo > encoded:
            # The network wants all of the window anew. Or a step was longer than that:
            # what lies between was never encoded.
            self._first, self._columns = todo, np.zeros((0, 0, 0), np.float32)
            self.state = None
        n = newest - todo + 1
        extra = geometry.cold_frames if self.state is None else geometry.kept_frames
        return self._frames_of(newest, geometry.frames_per_column * n + extra)

    def _frames_of(self, column: int, count: int) -> FloatArray:
        """The last `count` frames up to the last one that a column sees."""
        assert self._end_frame is not None
        behind = self._end_frame - self.geometry.n_frames(column + 1)
        end = len(self._frames) - behind
        return self._frames[end - count : end]

    def add(self, columns: FloatArray, state: EncoderState) -> None:
        """Append encoded columns, (n, ...), dropping the oldest beyond the limit."""
        assert self._columns is not None, "add() before begin()"
        kept = (
            np.concatenate([self._columns, columns]) if len(self._columns) else columns
        )
        surplus = max(0, len(kept) - self.max_columns)
        self._first += surplus
        self._columns = kept[surplus:]
        self.state = state

    def encoded_frames(self) -> FloatArray:
        """A copy of the frames of the encoded columns, (n_frames(n), n_features).

        To be asked for before the next `push`.
        """
        assert self._columns is not None
        n = len(self._columns)
        count = self.geometry.n_frames(n)
        return self._frames_of(self._first + n - 1, count).copy()

    @property
    def columns(self) -> FloatArray:
        """The columns of the window, (n, ...), oldest first."""
        assert self._columns is not None, "columns before begin()"
        return self._columns

    @property
    def start(self) -> int:
        """Sample index at which the first column begins."""
        return self.geometry.column_hop * self._first
