"""What travels through ser-stream. Read this first.

Time inside is a sample index: an ``int`` at 16 kHz, counted from the beginning of the
stream. A gap (samples that were lost) is a jump of that index and is never hidden.
Milliseconds and wall clock appear only in `ser_stream.protocol.messages`.

    Chunk -> Block -> frames (n, 39 or 78) -> encoder frames (n, ...) -> Prediction
          -> EmotionEvent

Columns are what the network's encoder makes of frames: encoder frames (CPAC: capsule
columns, (n, 6, 64)). `ser_stream.pipeline.geometry` says which frames one sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ser_stream.pipeline.speaker import Speaker

FloatArray = NDArray[np.float32]

EncoderState = tuple[FloatArray, ...]
"""What the layers of the encoder keep between two calls; see `Recognizer.encode`."""

SAMPLE_RATE = 16_000
"""Hertz; everything after the sources runs at this rate."""


def named(scores: FloatArray, labels: Sequence[str]) -> dict[str, float]:
    return dict(zip(labels, map(float, scores), strict=True))


class SpeechState(StrEnum):
    """What the stream holds now. Silence is a state, never an emotion."""

    SPEECH = "speech"
    NO_SPEECH = "no_speech"


class Phase(StrEnum):
    """Where in its life an emotion is."""

    START = "start"
    UPDATE = "update"
    END = "end"


class AudioState(StrEnum):
    """How a source is."""

    HEALTHY = "healthy"
    LOST = "lost"
    """It has just gone; samples are missing from here on."""
    RECOVERING = "recovering"
    """It is looked for, or opened again."""
    FAILED = "failed"
    """Looked for in vain for long; that goes on, but the operator should look."""
    PAUSED = "paused"
    """Released on request."""
    RESUMED = "resumed"
    """Asked for again; `healthy` follows when it is there."""
    ENDED = "ended"
    """Nothing more will come, while other sources go on."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Where the samples come from."""

    source: str
    """`mic`, `file`, `stdin` or `network`."""
    device: str
    """Name of the device or file, or what a client calls itself."""
    device_rate: int
    """Hertz, before resampling."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Samples as a source delivers them, of any length."""

    start: int
    """Sample index of the first sample. A jump against the last chunk is a gap."""
    samples: FloatArray
    """Mono, shape (n,), range [-1, 1], 16 kHz. Of all channels of a source, before they
    are parted, (n, channels)."""
    arrived: float = 0.0
    """`time.monotonic` when the source handed the last sample over, in seconds."""
    gap: str = "overflow"
    """Why samples are missing before it, where there is a jump: `overflow`; or `joined`
    if none are, and another recording begins."""

    @property
    def end(self) -> int:
        """Sample index after the last sample."""
        return self.start + len(self.samples)


@dataclass(frozen=True, slots=True)
class Condition:
    """A change in the health of a source, in its place between the chunks."""

    state: AudioState
    detail: str
    """One readable line: why, and what happens next."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Exactly 1600 samples on the absolute grid; see `ser_stream.pipeline.blocks`."""

    index: int
    """Number of the block on the grid; block m ends at sample 200 + 1600 m."""
    samples: FloatArray
    """Shape (1600,); zeros stand for samples before `valid_from`."""
    valid_from: int
    """First sample index since the stream began or since the last gap."""
    first: bool = False
    """True when every stage must reset first: stream start, or the end of a gap."""

    @property
    def end(self) -> int:
        """Sample index after the last sample."""
        return 200 + 1600 * self.index


class _Span:
    """Seconds beside sample indices, for programs that do not count samples."""

    __slots__ = ()
    start: int
    end: int

    @property
    def start_s(self) -> float:
        return self.start / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        return self.end / SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class Prediction(_Span):
    """The result of one step, raw."""

    type: ClassVar[Literal["prediction"]] = "prediction"
    start: int
    """Sample index at which the evidence begins."""
    end: int
    """Sample index at which the step fell due: after the last sample used (of a network
    that hears windows whole, up to 0.1 s after)."""
    state: SpeechState
    level_dbfs: float
    """Root mean square of the step's samples, dB relative to full scale."""
    label: str | None = None
    """An emotion, `uncertain`, or None without speech."""
    scores: FloatArray | None = None
    """Calibrated probabilities in the order of the model's labels, sum 1."""
    columns: int = 0
    """How many encoder frames the window held, 1 to `max_columns`."""
    max_columns: int = 25
    """In the longest window that there may be; shorter ones are weaker evidence."""
    labels: tuple[str, ...] = ()
    """The model's, in the order of the scores; empty without speech."""
    familiarity: float | None = None
    """How near the voice is to the speech that the model was trained on, 0 to 1: 1 as
    near as most of it, 0.5 twice as far; None without speech, while the window is
    short, and where the model cannot tell. It says nothing of the emotion."""
    peak_dbfs: float = -120.0
    """The greatest magnitude of the step's samples, dB relative to full scale; that of
    digital silence is -120. Resampled sound may swing beyond 0."""
    speaker: int | None = None
    """Number of who speaks, from 1; None without speech, while too little was said, and
    where it is not asked for. See `ser_stream.pipeline.voices`."""

    @property
    def by_label(self) -> dict[str, float] | None:
        """The scores by label, or None without speech."""
        return None if self.scores is None else named(self.scores, self.labels)

    @property
    def confidence(self) -> float | None:
        """The highest score, or None without speech."""
        return None if self.scores is None else float(self.scores.max())


@dataclass(frozen=True, slots=True)
class EmotionEvent(_Span):
    """A change of the steady emotion."""

    type: ClassVar[Literal["emotion"]] = "emotion"
    phase: Phase
    id: int
    """Numbers the emotions of this stream from 1."""
    label: str
    start: int
    """Sample index where the newest encoder frame of the step that began it begins."""
    end: int
    """Sample index up to which it lasts so far."""
    confidence: float
    """Smoothed probability of the label, 0 to 1."""
    speaker: int | None = None
    """Of the newest step of it that knows who speaks; see `Prediction`."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeechWindow:
    """Features of a window of speech, and its scores.

    What online adaptation learns from; `Pipeline` hands it out.
    """

    frames: FloatArray
    """Normalised, of a window of whole columns; with CPAC (8 n + 30, n_features)."""
    scores: FloatArray
    """Scores of the active model for the window, (n_classes,), sum 1."""
    end: int
    """Sample index at which the window ends."""
    turn: int
    """Number of the stretch of speech it lies in; a longer pause ends a turn."""
    speaker: "Speaker | None" = None
    """What the model knew of the speaker when it gave the scores."""


@dataclass(frozen=True, slots=True)
class Gap(_Span):
    """Samples that were lost, reported before what comes after them."""

    type: ClassVar[Literal["gap"]] = "gap"
    start: int
    end: int
    reason: str = "overflow"


StreamEvent = Prediction | EmotionEvent | Gap
"""What `Pipeline.feed` returns, in order of time."""
