"""Blocks -> speech or not. Silence is a state, never an emotion.

Silero's detector (`detector`) hears soft voices amplified. An energy threshold in front
of it (`loudness`) lets it sleep while the room is as quiet as it has been, so an idle
room costs nearly nothing.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.computation import Hear, Work, answered
from ser_stream.pipeline.detector import VAD_LENGTH, Detector, Silero
from ser_stream.pipeline.loudness import Loudness, LoudnessMeter
from ser_stream.pipeline.values import SAMPLE_RATE, Block, FloatArray

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


class SpeechGate:
    """Speech or not, block by block."""

    def __init__(
        self,
        config: SpeechGateConfig | None = None,
        detector: Detector | None = None,
    ) -> None:
        """Begin with silence. `detector`: what hears speech; Silero by default."""
        config = config or SpeechGateConfig()
        self._detector = Silero() if detector is None else detector
        self._meter = LoudnessMeter(config.wake_dbfs, config.wake_above_floor_db)
        self._speech_before = 0
        self._began: int | None = None
        self._speech_end = 0
        self.reconfigure(config)
        self.reset()

    def reconfigure(self, config: SpeechGateConfig) -> None:
        """Other thresholds from here on; the state is kept."""
        self.config = config
        self._meter.reconfigure(config.wake_dbfs, config.wake_above_floor_db)
        self._min_speech = round(config.min_speech_s * SAMPLE_RATE)
        self._max_pause = round(config.max_pause_s * SAMPLE_RATE)

    def reset(self) -> None:
        """Forget everything, as at the end of a gap; `speech_samples` goes on."""
        self._meter.reset()
        self._forget()

    def _forget(self) -> None:
        self._speech_before = self.speech_samples
        self._detector.reset()
        self._gain_db = 0.0
        self._awake = False
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
        return answered(self.work_on([block]))[0]

    def work_on(self, blocks: Sequence[Block]) -> Work[list[GateReading]]:
        """As `feed` for each of some, but what is to be heard is asked for."""
        return self._decide(blocks, [self._measured(block) for block in blocks])

    def _measured(self, block: Block) -> Loudness:
        if block.first:
            self._meter.reset()
        samples = block.samples.astype(np.float64)
        return self._meter.feed(float(samples @ samples), float(samples.sum()))

    def decide(self, block: Block, loudness: Loudness) -> GateReading:
        """As `feed`, for one that was measured before, by a meter of the caller's."""
        return answered(self._decide([block], [loudness]))[0]

    def _decide(
        self, blocks: Sequence[Block], loudness: Sequence[Loudness]
    ) -> Work[list[GateReading]]:
        readings: list[GateReading] = []
        while len(readings) < len(blocks):
            at = len(readings)
            block = blocks[at]
            if block.first:
                self._forget()
            self._gain_db = loudness[at].gain_db
            before = self._wake_or_sleep(block, loudness[at].loud)
            if before is not None:
                yield from self._listen(before, block.end - BLOCK_LENGTH)
            end = at + 1
            if self._awake:
                # What will be heard whatever is heard before it goes with that.
                while end < len(blocks) and self._stays_awake(
                    blocks[end], loudness[end].loud
                ):
                    end += 1
                readings += yield from self._hear(blocks[at:end], loudness[at:end])
            else:
                readings.append(GateReading(self._began, loudness[at].energy))
            self._last = blocks[end - 1].samples
        return readings

    def _stays_awake(self, block: Block, loud: bool) -> bool:
        """Whether it does whatever is heard before, as speech can only end later."""
        quiet_since = max(self._speech_end, self._woke)
        return not block.first and (loud or block.end - quiet_since < SAMPLE_RATE)

    def _hear(
        self, blocks: Sequence[Block], loudness: Sequence[Loudness]
    ) -> Work[list[GateReading]]:
        end = blocks[0].end - BLOCK_LENGTH - self._detector.backlog
        louder = [
            block.samples * np.float32(10.0 ** (one.gain_db / 20.0))
            for block, one in zip(blocks, loudness, strict=True)
        ]
        samples = louder[0] if len(louder) == 1 else np.concatenate(louder)
        found: FloatArray = yield Hear(self._detector, samples, blocks[-1].end)
        probabilities, readings = deque(found.tolist()), []
        for block, one in zip(blocks, loudness, strict=True):
            self._gain_db = one.gain_db
            while probabilities and end + VAD_LENGTH <= block.end:
                end += VAD_LENGTH
                self._frame(probabilities.popleft(), end)
            readings.append(GateReading(self._began, one.energy))
        return readings

    def _wake_or_sleep(self, block: Block, loud: bool) -> FloatArray | None:
        """The samples of the block before, if they are to be heard now."""
        if self._awake:
            if self._stays_awake(block, loud):
                return None
            if self._began is None:
                self._awake = False
        elif loud:
            self._awake = True
            self._woke = block.end
            # What it remembers of the room is kept: from nothing, it takes the first
            # noise for a voice (hens: 0.70, where it says 0.26 when always awake).
            self._detector.skip()
            if not block.first:
                # The block before may hold the beginning of the word that woke it.
                return self._last
        return None

    def _listen(self, samples: FloatArray, end: int) -> Work[None]:
        start = end - len(samples) - self._detector.backlog
        # The block before the one that woke it is heard like that one, without a step.
        louder = samples * np.float32(10.0 ** (self._gain_db / 20.0))
        probabilities: FloatArray = yield Hear(self._detector, louder, end)
        for i, probability in enumerate(probabilities):
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
