"""Samples -> normalised MFCC frames, as one thing with one hash.

A bundle carries the parameters and their hash; one that was trained on another front
end is refused. Training calls `frames_of`, the runtime feeds block by block; both run
the same stages.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ser_stream.errors import ModelError
from ser_stream.pipeline.blocks import BLOCK_LENGTH, Blocker
from ser_stream.pipeline.floor import FloorConfig, NoiseFloor
from ser_stream.pipeline.mfcc import (
    LOG_MEL,
    Mfcc,
    MfccConfig,
    mel_power,
    mfcc_of_mel,
    power_spectrum,
)
from ser_stream.pipeline.normalise import NormaliseConfig, Normaliser
from ser_stream.pipeline.pitch import PitchConfig, pitchogram
from ser_stream.pipeline.values import Block, Chunk, FloatArray

FRONT_END_VERSION = 2
"""Raised when the arithmetic changes."""
BLOCKS_AT_ONCE = 4
"""Of a recording; the spectra of more do not stay in a processor's cache."""
WITHOUT_FLOOR = 1
"""Version of a front end without a noise floor; to be raised with the other."""


@dataclass(frozen=True, slots=True)
class FrontEndConfig:
    """The parameters of MFCC, noise floor, normalisation and pitchogram."""

    mfcc: MfccConfig = field(default_factory=MfccConfig)
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)
    pitch: PitchConfig | None = None
    """None: MFCCs alone."""
    floor: FloorConfig | None = None
    """None: no power is added to the mel bands."""

    def to_dict(self) -> dict[str, Any]:
        """All parameters, as the manifest of a bundle holds them."""
        version = FRONT_END_VERSION if self.floor is not None else WITHOUT_FLOOR
        values = {"version": version, "block": BLOCK_LENGTH, **asdict(self)}
        for part in ("pitch", "floor"):  # Bundles from before there were such.
            if values[part] is None:
                del values[part]
        return values

    @property
    def n_features(self) -> int:
        """Numbers in a frame: 39 MFCCs, and the pitchogram's lags behind them."""
        return self.mfcc.n_mfcc + (self.pitch.n_lags if self.pitch else 0)

    @property
    def hash(self) -> str:
        """SHA-256 over all parameters, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "FrontEndConfig":
        """The configuration a manifest describes.

        Raises:
            ModelError: if this code cannot compute such a front end.
        """
        try:
            config = FrontEndConfig(
                MfccConfig(**values["mfcc"]),
                NormaliseConfig(**values["normalise"]),
                PitchConfig(**values["pitch"]) if "pitch" in values else None,
                FloorConfig(**values["floor"]) if "floor" in values else None,
            )
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"front end of the bundle is incomplete: {error}"
            ) from None
        fixed = FrontEndConfig(
            LOG_MEL if config.mfcc == LOG_MEL else MfccConfig(),
            normalise=config.normalise,
            pitch=config.pitch and PitchConfig(),
            floor=config.floor,
        ).to_dict()
        for key, value in fixed.items():
            if values.get(key) != value:
                raise ModelError(
                    f"the bundle was made for another front end: {key} is "
                    f"{values.get(key)}, this version computes {value}"
                )
        return config


class FrontEnd:
    """Blocks -> normalised frames."""

    def __init__(self, config: FrontEndConfig) -> None:
        self.config = config
        self.mfcc = Mfcc(config.mfcc, self._features)
        self.floor = NoiseFloor(config.floor, config.mfcc) if config.floor else None
        self.normaliser = Normaliser(config.normalise)

    def reset(self) -> None:
        self.mfcc.reset()
        if self.floor is not None:
            self.floor.reset()
        self.normaliser.reset()

    def prime(self, block: Block) -> None:
        """Go on behind `block`, which itself gives no frames; the level is kept."""
        self.mfcc.prime(block)

    def take(self, block: Block) -> tuple[int, int]:
        """Take in a block whose frames the caller makes; see `Mfcc.take`."""
        if block.first:
            self.reset()
        return self.mfcc.take(block)

    def feed(self, block: Block) -> tuple[int, FloatArray]:
        """Index of the first new frame, and the frames of a block, (m, n_features)."""
        if block.first:
            self.reset()
        first, frames = self.mfcc.feed(block)
        return first, self.normaliser.feed(frames)

    def feed_many(self, blocks: Sequence[Block]) -> tuple[int, FloatArray]:
        """The same for one or more blocks in a row, in fewer and longer calls."""
        if blocks[0].first:
            self.reset()
        first, frames, counts = self.mfcc.cut(blocks)
        parts, at = list[FloatArray](), 0
        for i in range(0, len(counts), BLOCKS_AT_ONCE):
            some = [n for n in counts[i : i + BLOCKS_AT_ONCE] if n]
            if some:
                end = at + sum(some)
                features = self._features(frames[at:end], some)
                parts.append(self.normaliser.feed(features, some))
                at = end
        if not parts:
            return first, np.zeros((0, self.config.n_features), np.float32)
        return first, parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _features(
        self, frames: FloatArray, blocks: Sequence[int] | None = None
    ) -> FloatArray:
        """Frames of samples, (m, frame_length) -> features, not normalised, (m, n)."""
        config = self.config
        power = power_spectrum(frames, config.mfcc)
        mel = mel_power(power, config.mfcc)
        if self.floor is not None:
            mel = self.floor.feed(mel, blocks)
        mfcc = mfcc_of_mel(mel, config.mfcc)
        if config.pitch is None:
            return mfcc
        pitch = pitchogram(power, config.pitch, config.mfcc)
        return np.concatenate([mfcc, pitch], axis=1)


def frames_of(samples: FloatArray, config: FrontEndConfig) -> FloatArray:
    """All frames of a whole signal, (n, n_features), exactly as a stream gives them.

    Only whole blocks are computed: pad `samples` to 200 + 1600 m to lose nothing.
    """
    front_end, blocker = FrontEnd(config), Blocker()
    parts = [
        front_end.feed(block)[1]
        for block in blocker.feed(Chunk(0, samples))
        if isinstance(block, Block)
    ]
    empty = np.zeros((0, config.n_features), np.float32)
    return np.concatenate(parts) if parts else empty
