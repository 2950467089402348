"""How the encoder frames of a network lie on the frames of the front end.

A bundle's manifest says it; the defaults are CPAC's, whose encoder frames are capsule
columns. Column k sees the frames from `frames_per_column * k` on, `receptive_frames` of
them.
"""

from dataclasses import dataclass

from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.mfcc import FRAMES_PER_BLOCK, MfccConfig

_FRAME = MfccConfig()


def samples_of(n_frames: int) -> int:
    """Samples that so many frames span."""
    return _FRAME.frame_length + _FRAME.hop_length * (n_frames - 1)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Numbers that a bundle's manifest holds; see the module.

    Raises:
        ValueError: if they are no whole numbers, or contradict each other.
    """

    frames_per_column: int = 8
    """New frames that one more column costs."""
    receptive_frames: int = 38
    """Frames that one column sees."""
    kept_frames: int = 2
    """Last frames of a call that the next one is given once more."""
    cold_columns: int = 4
    """First columns that an encoder without state makes wrong, and that are dropped."""
    max_columns: int = 25
    """In the longest window that the network was trained and calibrated for."""

    def __post_init__(self) -> None:
        least = {"kept_frames": 0, "cold_columns": 0}
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or value < least.get(name, 1):
                raise ValueError(f"geometry.{name} is {value!r}; it must be a number")
        if self.cold_frames < self.extra_frames:
            raise ValueError("geometry: a cold encoder would see too few frames")

    @property
    def extra_frames(self) -> int:
        """Frames that a window has beside `frames_per_column` for each column."""
        return self.receptive_frames - self.frames_per_column

    @property
    def cold_frames(self) -> int:
        """The same in a call without state: what fills the encoder is dropped."""
        return self.kept_frames + self.frames_per_column * self.cold_columns

    @property
    def spare_frames(self) -> int:
        """Most frames behind the newest column when a block ends; 0 with CPAC."""
        # Block m completes frame 8 m - 3, counted from 0.
        ends = [FRAMES_PER_BLOCK * m - 2 for m in range(self.frames_per_column)]
        return max((end - self.extra_frames) % self.frames_per_column for end in ends)

    @property
    def column_hop(self) -> int:
        """Samples between the starts of two columns."""
        return _FRAME.hop_length * self.frames_per_column

    @property
    def column_length(self) -> int:
        """Samples that one column sees."""
        return samples_of(self.receptive_frames)

    @property
    def first_step(self) -> int:
        """Sample index at which the first step falls due: a block and a column end."""
        blocks = -(-(self.column_length - BLOCK_PHASE) // BLOCK_LENGTH)
        return BLOCK_PHASE + BLOCK_LENGTH * blocks

    def n_frames(self, columns: int) -> int:
        """Frames of a window of so many columns."""
        return self.frames_per_column * columns + self.extra_frames

    def columns_in(self, n_frames: int) -> int:
        """Columns of a window by its frames: the inverse of `n_frames`."""
        return (n_frames - self.extra_frames) // self.frames_per_column

    def window_length(self, columns: int) -> int:
        """Samples that a window of so many columns spans."""
        return self.column_length + self.column_hop * (columns - 1)

    def columns_of(self, samples: float) -> int:
        """Columns of the window nearest to a length in samples: 1 to the longest."""
        n = 1 + round((samples - self.column_length) / self.column_hop)
        return min(self.max_columns, max(1, n))


CPAC = Geometry()
