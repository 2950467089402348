"""Blocks -> speech or not. Silence is a state, never an emotion.

Silero's detector looks at 32 ms at a time, and hears soft voices amplified
(`detector_gain`). An energy threshold in front of it lets it sleep while the room is as
quiet as it has been, so an idle room costs nearly nothing.
"""

import math
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.detector_gain import DetectorGain
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.values import SAMPLE_RATE, Block, FloatArray

SILERO_SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
"""SHA-256 of the model file in `silero/`."""
SILERO = "silero_vad_16k_sequence.onnx"
VAD_LENGTH = 512
"""Samples the detector takes at a time."""
VAD_CONTEXT = 64
"""Samples before them that it also sees."""
STRICT_GAIN_DB = 10.0
"""Gain from which amplified sound must be surer and last twice as long to be speech:
rubs and plucked strings far away pass for a syllable, but seldom for 0.3 s."""


@dataclass(frozen=True, slots=True)
class SpeechGateConfig:
    """When speech begins and ends."""

    enter: float = 0.5
    """Probability of speech at which it may begin."""
    exit: float = 0.35
    """Probability under which a frame no longer counts as speech."""
    min_speech_s: float = 0.16
    """Speech must last so long, in seconds, before the speech gate opens; up to twice
    so long where the detector hears it amplified."""
    max_pause_s: float = 0.6
    """A pause shorter than this stays in the window; a longer one clears it."""
    wake_dbfs: float = -90.0
    """Quieter blocks never wake the detector. The default is above the dither of 16
    bits, which is at -96."""
    wake_above_floor_db: float = 6.0
    """How far a block must rise above the noise floor to wake the detector."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not math.isfinite(getattr(self, field.name)):
                raise ConfigError(f"gate.{field.name} must be a finite number")
        if not 0.0 < self.exit <= self.enter < 1.0:
            raise ConfigError(
                f"gate thresholds must satisfy 0 < exit <= enter < 1, not exit "
                f"{self.exit} and enter {self.enter}"
            )
        if not 0 <= self.min_speech_s <= 2 or not 0 < self.max_pause_s <= 60:
            raise ConfigError(
                "gate times must be positive seconds, min_speech_s at most 2 and "
                "max_pause_s at most 60"
            )

    @property
    def longest_doubt_s(self) -> float:
        """How long speech may have lasted when the speech gate opens, seconds."""
        return 2.0 * self.min_speech_s


@dataclass(frozen=True, slots=True)
class GateReading:
    """The state of the speech gate after a block."""

    began: int | None
    """Sample index at which the present speech began; None in silence."""
    energy: float
    """Sum of squares of the block's samples, full scale 1; for the level."""


class Silero:
    """The detector with its state: samples -> probability of speech each 32 ms."""

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            path = Path(str(files("ser_stream"))) / "pipeline/silero" / SILERO
        self._session = open_session(path)
        self.reset()

    def reset(self) -> None:
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self.skip()

    def skip(self) -> None:
        """Samples were left out: what comes does not continue what came."""
        self._pending = np.zeros(VAD_CONTEXT, np.float32)

    def feed(self, samples: FloatArray) -> FloatArray:
        """Probabilities of the frames of 512 samples that `samples` completes."""
        pending = np.concatenate([self._pending, samples])
        n = (len(pending) - VAD_CONTEXT) // VAD_LENGTH
        self._pending = pending[n * VAD_LENGTH :]
        if not n:
            return np.zeros(0, np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(
            pending, VAD_CONTEXT + VAD_LENGTH
        )[::VAD_LENGTH][:n]
        probabilities: FloatArray
        probabilities, self._h, self._c = self._session.run(
            None, {"input": np.ascontiguousarray(frames), "h": self._h, "c": self._c}
        )
        return probabilities.reshape(-1)

    @property
    def backlog(self) -> int:
        """Samples that wait for the next frame to be complete."""
        return len(self._pending) - VAD_CONTEXT


class SpeechGate:
    """Speech or not, block by block."""

    def __init__(self, config: SpeechGateConfig | None = None) -> None:
        self._silero = Silero()
        self._gain = DetectorGain()
        self._speech_before = 0
        self._began: int | None = None
        self._speech_end = 0
        self.reconfigure(config or SpeechGateConfig())
        self.reset()

    def reconfigure(self, config: SpeechGateConfig) -> None:
        """Other thresholds from here on; the state is kept."""
        self.config = config
        self._min_speech = round(config.min_speech_s * SAMPLE_RATE)
        self._max_pause = round(config.max_pause_s * SAMPLE_RATE)

    def reset(self) -> None:
        """Forget everything, as at the end of a gap; `speech_samples` goes on."""
        self._speech_before = self.speech_samples
        self._silero.reset()
        self._gain.reset()
        self._gain_db = 0.0
        self._awake = False
        self._floor_db: float | None = None
        self._last = np.zeros(BLOCK_LENGTH, np.float32)
        self._run_start: int | None = None
        self._began = None
        self._speech_end = 0
        self._woke = 0

    @property
    def speech_samples(self) -> int:
        """Samples from the beginnings to the ends of all speech so far.

        Pauses that stay in the window count; the one that ends speech does not.
        """
        now = 0 if self._began is None else self._speech_end - self._began
        return self._speech_before + now

    def feed(self, block: Block) -> GateReading:
        """Look at one block; one that follows a gap resets the speech gate first."""
        if block.first:
            self.reset()
        samples = block.samples.astype(np.float64)
        energy, mean = float(samples @ samples), float(samples.sum()) / BLOCK_LENGTH
        # Of the alternating part: a constant is no sound.
        variance = energy / BLOCK_LENGTH - mean * mean
        level = 10.0 * math.log10(max(variance, 1e-12))
        floor = self._follow_floor(level)
        self._gain_db = self._gain.feed(level, floor)
        self._wake_or_sleep(block, level, floor)
        if self._awake:
            self._listen(block.samples, block.end)
        self._last = block.samples
        return GateReading(self._began, energy)

    def _follow_floor(self, level: float) -> float:
        config = self.config
        floor = level if self._floor_db is None else min(level, self._floor_db + 0.1)
        self._floor_db = max(floor, config.wake_dbfs - config.wake_above_floor_db)
        return self._floor_db

    def _wake_or_sleep(self, block: Block, level: float, floor: float) -> None:
        config = self.config
        loud = level > floor + config.wake_above_floor_db
        if block.first:
            # Nothing is known of the room yet; there may be speech already.
            loud = level > config.wake_dbfs
        if self._awake:
            quiet_since = max(self._speech_end, self._woke)
            if loud or block.end - quiet_since < SAMPLE_RATE:
                return
            if self._began is None:
                self._awake = False
        elif loud:
            self._awake = True
            self._woke = block.end
            # What it remembers of the room is kept: from nothing, it takes the first
            # noise for a voice (hens: 0.70, where it says 0.26 when always awake).
            self._silero.skip()
            if not block.first:
                # The block before may hold the beginning of the word that woke it.
                self._listen(self._last, block.end - BLOCK_LENGTH)

    def _listen(self, samples: FloatArray, end: int) -> None:
        start = end - len(samples) - self._silero.backlog
        # The block before the one that woke it is heard like that one, without a step.
        louder = samples * np.float32(10.0 ** (self._gain_db / 20.0))
        for i, probability in enumerate(self._silero.feed(louder)):
            self._frame(float(probability), start + (i + 1) * VAD_LENGTH)

    def _frame(self, probability: float, end: int) -> None:
        config = self.config
        strict = 0.0
        if self._began is None:
            strict = min(self._gain_db / STRICT_GAIN_DB, 1.0)
        threshold = config.exit + strict * (config.enter - config.exit)
        if self._run_start is None:
            threshold = config.enter
        needed = self._min_speech * (1.0 + strict)
        if probability >= threshold:
            if self._run_start is None:
                self._run_start = end - VAD_LENGTH
            self._speech_end = end
        elif self._began is None:
            self._run_start = None
        if self._run_start is None:
            return
        if self._began is None and end - self._run_start >= needed:
            self._began = self._run_start
        elif end - self._speech_end >= self._max_pause:
            self._speech_before = self.speech_samples
            self._began = self._run_start = None
