"""Frames -> the window of capsule columns that a prediction looks at.

Column k sees frames 8 k to 8 k + 37, which are samples [1600 k, 1600 k + 8200). The
window is the columns since speech began, less a pre-roll, at most `max_columns`. It
keeps the frames too, so that nothing need be encoded before somebody speaks.
"""

import numpy as np

from ser_stream.pipeline.mfcc import FRAMES_PER_BLOCK, N_MFCC
from ser_stream.pipeline.values import EncoderState, FloatArray

COLUMN_HOP = 1600
"""Samples between the starts of two columns."""
COLUMN_LENGTH = 8200
"""Samples that one column sees; 0.5125 s."""
EXTRA_FRAMES = 30
"""n columns together need 8 n + 30 frames."""
WARM_FRAMES = 2
"""With what the encoder keeps between calls, n columns need 8 n + 2 frames: the first
two once more, then the new ones."""
COLD_FRAMES = 34
"""Without it, n columns need 8 n + 34 frames. The first four are not looked at: they
fill the encoder's first columns, which it drops."""
COLD_COLUMNS = 4
"""First columns that an encoder without state makes wrong, and drops."""
MAX_COLUMNS = 25


def window_length(columns: int) -> int:
    """Samples that a window of so many columns spans."""
    return COLUMN_LENGTH + COLUMN_HOP * (columns - 1)


def columns_in(frames: FloatArray) -> int:
    """Columns of a window by its frames, (8 n + 30, n_features)."""
    return (len(frames) - EXTRA_FRAMES) // FRAMES_PER_BLOCK


class ColumnWindow:
    """Keeps recent frames, and the encoded columns of the present speech.

    Memory that is not there yet reads as zeros, which matters only for the four frames
    that a cold encoder is given and does not look at.
    """

    def __init__(
        self, max_columns: int = MAX_COLUMNS, n_features: int = N_MFCC
    ) -> None:
        self.max_columns = max_columns
        self._frames = np.zeros(
            (FRAMES_PER_BLOCK * max_columns + COLD_FRAMES, n_features), np.float32
        )
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
        return (self._end_frame - EXTRA_FRAMES) // FRAMES_PER_BLOCK - 1

    def _oldest(self) -> int:
        if self._end_frame is None:
            return 0
        return -(-(self._end_frame - self._n_frames) // FRAMES_PER_BLOCK)

    @property
    def started(self) -> bool:
        """Whether the window has begun."""
        return self._columns is not None

    def begin(self, start: int) -> None:
        """Begin a window whose columns start at sample `start` or later."""
        self.clear()
        self._first = max(-(-start // COLUMN_HOP), self._oldest())
        self._columns = np.zeros((0, 0, 0), np.float32)

    def pending(self) -> FloatArray | None:
        """Frames of the columns still to encode; None if there are none.

        Shape (8 n + 2, n_features) where `state` holds what the encoder kept, else
        (8 n + 34, n_features).
        """
        if self._columns is None or self._end_frame is None:
            return None
        newest = self.newest
        todo = max(
            self._first + len(self._columns),
            self._oldest(),
            newest - self.max_columns + 1,
        )
        if todo > newest:
            return None
        if todo > self._first + len(self._columns):
            # A step longer than the window: what lies between was never encoded.
            self._first, self._columns = todo, np.zeros((0, 0, 0), np.float32)
            self.state = None
        extra = COLD_FRAMES if self.state is None else WARM_FRAMES
        end = len(self._frames) - (self._end_frame - self._last_frame(newest))
        n = newest - todo + 1
        return self._frames[end - FRAMES_PER_BLOCK * n - extra : end]

    @staticmethod
    def _last_frame(column: int) -> int:
        return FRAMES_PER_BLOCK * (column + 1) + EXTRA_FRAMES

    def add(self, columns: FloatArray, state: EncoderState) -> None:
        """Append encoded columns, (n, 6, 64), dropping the oldest beyond the limit."""
        assert self._columns is not None, "add() before begin()"
        kept = (
            np.concatenate([self._columns, columns]) if len(self._columns) else columns
        )
        surplus = max(0, len(kept) - self.max_columns)
        self._first += surplus
        self._columns = kept[surplus:]
        self.state = state

    def heard(self) -> FloatArray:
        """A copy of the frames of the encoded columns, (8 n + 30, n_features).

        To be asked for before the next `push`.
        """
        assert self._columns is not None
        assert self._end_frame is not None
        n = len(self._columns)
        last = self._last_frame(self._first + n - 1)
        end = len(self._frames) - (self._end_frame - last)
        frames: FloatArray = self._frames[
            end - FRAMES_PER_BLOCK * n - EXTRA_FRAMES : end
        ].copy()
        return frames

    @property
    def columns(self) -> FloatArray:
        """The columns of the window, (n, 6, 64), oldest first."""
        assert self._columns is not None, "columns before begin()"
        return self._columns

    @property
    def start(self) -> int:
        """Sample index at which the first column begins."""
        return COLUMN_HOP * self._first
