"""Frames -> the window of encoder frames (CPAC: capsule columns) of a prediction.

The window is the columns since speech began, less a pre-roll, at most `max_columns`. It
keeps the frames too, so that nothing need be encoded before speech begins.
"""

import numpy as np

from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.mfcc import N_MFCC
from ser_stream.pipeline.values import EncoderState, FloatArray


class Extent:
    """Which columns a window has, and which frames there are to make them: indices.

    Frames are kept for the longest window, and columns since it began.
    """

    def __init__(self, max_columns: int | None, geometry: Geometry) -> None:
        self.geometry = geometry
        self.max_columns = max_columns or geometry.max_columns
        size = geometry.frames_per_column * self.max_columns + geometry.cold_frames
        self.size = size + geometry.spare_frames
        """How many frames are kept."""
        self.reset()

    def reset(self) -> None:
        """Forget frames and columns, as at a gap."""
        self.end_frame: int | None = None
        """Index after the newest frame."""
        self.n_frames = 0
        self.clear()

    def clear(self) -> None:
        """Forget the columns; the frames stay for the pre-roll."""
        self.first = 0
        """Index of the window's first column."""
        self.count = 0
        """How many columns it has."""
        self.started = False
        """Whether the window has begun."""

    def push(self, first: int, n: int) -> None:
        """Frames have come, `first` is the index of the first of them."""
        self.n_frames = min(self.n_frames + n, self.size)
        self.end_frame = first + n

    @property
    def newest(self) -> int:
        """Index of the newest column whose frames are all here."""
        if self.end_frame is None:
            return -1
        return self.geometry.columns_in(self.end_frame) - 1

    def _oldest(self) -> int:
        if self.end_frame is None:
            return 0
        return -(-(self.end_frame - self.n_frames) // self.geometry.frames_per_column)

    def begin(self, start: int) -> None:
        """Begin a window whose columns start at sample `start` or later."""
        self.clear()
        self.first = max(-(-start // self.geometry.column_hop), self._oldest())
        self.started = True

    def pending(self) -> int | None:
        """Index of the first column still to encode; None if there are none.

        Where that is not the one behind the newest, the columns so far are dropped:
        the network wants all of the window anew, or a step was longer than that, and
        what lies between was never encoded.
        """
        if not self.started or self.end_frame is None:
            return None
        newest = self.newest
        oldest = max(self._oldest(), newest - self.max_columns + 1)
        encoded = self.first + self.count
        if max(encoded, oldest) > newest:
            return None
        todo = max(self.first if self.geometry.whole else encoded, oldest)
        if self.geometry.whole or todo > encoded:
            self.first, self.count = todo, 0
        return todo

    def add(self, n: int) -> int:
        """So many columns were encoded; how many of the oldest are dropped for them."""
        surplus = max(0, self.count + n - self.max_columns)
        self.first += surplus
        self.count += n - surplus
        return surplus

    @property
    def start(self) -> int:
        """Sample index at which the first column begins."""
        return self.geometry.column_hop * self.first


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
        self._extent = Extent(max_columns, geometry)
        self.max_columns = self._extent.max_columns
        # The newest frames end at `_end`: twice the room, so that they need not move
        # with each block.
        self._room = np.zeros((2 * self._extent.size, n_features), np.float32)
        self._end = self._extent.size
        self.reset()

    def reset(self) -> None:
        """Forget frames and columns, as at a gap."""
        self._extent.reset()
        self.clear()

    def clear(self) -> None:
        """Forget the columns; the frames stay for the pre-roll."""
        self._extent.clear()
        self._columns: FloatArray = np.zeros((0, 0, 0), np.float32)
        self.state: EncoderState | None = None

    def push(self, first: int, frames: FloatArray) -> None:
        """Append frames of blocks; `first` is the index of the first of them."""
        self._extent.push(first, len(frames))
        size = self._extent.size
        frames = frames[-size:]
        n = len(frames)
        if self._end + n > len(self._room):
            kept = size - n
            self._room[:kept] = self._room[self._end - kept : self._end]
            self._end = kept
        self._room[self._end : self._end + n] = frames
        self._end += n

    @property
    def _frames(self) -> FloatArray:
        """The newest, as many as are kept; a view."""
        return self._room[self._end - self._extent.size : self._end]

    def take_over_from(self, other: "ColumnWindow") -> None:
        """Take over the frames of `other`, to be encoded anew from its beginning."""
        n = min(len(self._frames), len(other._frames))
        self._frames[-n:] = other._frames[-n:]
        self._extent.n_frames = min(n, other._extent.n_frames)
        self._extent.end_frame = other._extent.end_frame
        if other.started:
            self.begin(other.start)

    @property
    def newest(self) -> int:
        """Index of the newest column whose frames are all here."""
        return self._extent.newest

    @property
    def started(self) -> bool:
        """Whether the window has begun."""
        return self._extent.started

    def begin(self, start: int) -> None:
        """Begin a window whose columns start at sample `start` or later."""
        self.clear()
        self._extent.begin(start)

    def pending(self) -> FloatArray | None:
        """Frames of the columns still to encode; None if there are none.

        Shape (8 n + 2, n_features) where `state` holds what the encoder kept, else
        (8 n + 34, n_features), with CPAC's geometry.
        """
        todo = self._extent.pending()
        if todo is None:
            return None
        if not self._extent.count:
            self._columns, self.state = np.zeros((0, 0, 0), np.float32), None
        geometry, n = self.geometry, self.newest - todo + 1
        extra = geometry.cold_frames if self.state is None else geometry.kept_frames
        return self._frames_of(self.newest, geometry.frames_per_column * n + extra)

    def _frames_of(self, column: int, count: int) -> FloatArray:
        """The last `count` frames up to the last one that a column sees."""
        assert self._extent.end_frame is not None
        behind = self._extent.end_frame - self.geometry.n_frames(column + 1)
        end = len(self._frames) - behind
        return self._frames[end - count : end]

    def add(self, columns: FloatArray, state: EncoderState) -> None:
        """Append encoded columns, (n, ...), dropping the oldest beyond the limit."""
        assert self.started, "add() before begin()"
        kept = (
            np.concatenate([self._columns, columns]) if len(self._columns) else columns
        )
        self._columns = kept[self._extent.add(len(columns)) :]
        self.state = state

    def encoded_frames(self) -> FloatArray:
        """A copy of the frames of the encoded columns, (n_frames(n), n_features).

        To be asked for before the next `push`.
        """
        n = len(self._columns)
        count = self.geometry.n_frames(n)
        return self._frames_of(self._extent.first + n - 1, count).copy()

    @property
    def columns(self) -> FloatArray:
        """The columns of the window, (n, ...), oldest first."""
        assert self.started, "columns before begin()"
        return self._columns

    @property
    def start(self) -> int:
        """Sample index at which the first column begins."""
        return self._extent.start
