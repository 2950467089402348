"""How the encoder frames of a network lie on the frames of the front end.

A bundle's manifest says it; the defaults are CPAC's, whose encoder frames are capsule
columns. Column k sees the frames from `frames_per_column * k` on, `receptive_frames` of
them.
"""

from dataclasses import asdict, dataclass

from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.mfcc import LOG_MEL, MfccConfig

_FRAME = MfccConfig()


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
    whole: bool = False
    """Whether the columns of a window depend on all of it, and each step encodes it
    anew."""
    frame_length: int = _FRAME.frame_length
    """Samples of a frame."""
    hop_length: int = _FRAME.hop_length
    """Samples from one frame to the next."""

    def __post_init__(self) -> None:
        least = {"kept_frames": 0, "cold_columns": 0}
        for name, value in asdict(self).items():
            if name == "whole":
                continue
            if type(value) is not int or value < least.get(name, 1):
                raise ValueError(f"geometry.{name} is {value!r}; it must be a number")
        if type(self.whole) is not bool:
            raise ValueError(f"geometry.whole is {self.whole!r}; it must be a boolean")
        if BLOCK_LENGTH % self.hop_length:
            raise ValueError(
                f"geometry.hop_length is {self.hop_length}; a block has {BLOCK_LENGTH} "
                "samples, which it must divide"
            )
        if self.cold_frames < self.extra_frames:
            raise ValueError("geometry: a cold encoder would see too few frames")

    @property
    def frame(self) -> MfccConfig:
        """How long frames are, and how far apart."""
        return MfccConfig(frame_length=self.frame_length, hop_length=self.hop_length)

    def to_dict(self) -> dict[str, int | bool]:
        """As a manifest holds it: without what all networks had once."""
        values = asdict(self)
        for name in ("whole", "frame_length", "hop_length"):
            if values[name] == getattr(CPAC, name):
                del values[name]
        return values

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
        # Block m completes, with CPAC, frame 8 m - 3, counted from 0.
        frame = self.frame
        ends = [
            frame.frames_per_block * m + frame.complete
            for m in range(self.frames_per_column)
        ]
        return max((end - self.extra_frames) % self.frames_per_column for end in ends)

    @property
    def column_hop(self) -> int:
        """Samples between the starts of two columns."""
        return self.hop_length * self.frames_per_column

    @property
    def column_length(self) -> int:
        """Samples that one column sees."""
        return self.samples_of(self.receptive_frames)

    @property
    def first_step(self) -> int:
        """Sample index at which the first step falls due: a block and a column end."""
        blocks = -(-(self.column_length - BLOCK_PHASE) // BLOCK_LENGTH)
        return BLOCK_PHASE + BLOCK_LENGTH * blocks

    def samples_of(self, n_frames: int) -> int:
        """Samples that so many frames span."""
        return self.frame_length + self.hop_length * (n_frames - 1)

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
WHISPER = Geometry(
    frames_per_column=10,
    receptive_frames=10,
    kept_frames=0,
    cold_columns=0,
    max_columns=30,
    whole=True,
    frame_length=LOG_MEL.frame_length,
    hop_length=LOG_MEL.hop_length,
)
"""Windows of at most 3 s."""
