"""Samples -> normalised MFCC frames, as one thing with one hash.

A bundle carries the parameters and their hash; one that was trained on another front
end is refused. Training calls `frames_of`, the runtime feeds block by block; both run
the same stages.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ser_stream.blocks import BLOCK_LENGTH, Blocker
from ser_stream.errors import ModelError
from ser_stream.mfcc import Mfcc, MfccConfig
from ser_stream.normalise import NormaliseConfig, Normaliser
from ser_stream.values import Block, Chunk, FloatArray

FRONT_END_VERSION = 1
"""Raised when the arithmetic changes although no parameter does."""


@dataclass(frozen=True, slots=True)
class FrontEndConfig:
    """The parameters of MFCC and normalisation."""

    mfcc: MfccConfig = field(default_factory=MfccConfig)
    normalise: NormaliseConfig = field(default_factory=NormaliseConfig)

    def to_dict(self) -> dict[str, Any]:
        """All parameters, as the manifest of a bundle holds them."""
        return {"version": FRONT_END_VERSION, "block": BLOCK_LENGTH, **asdict(self)}

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
                MfccConfig(**values["mfcc"]), NormaliseConfig(**values["normalise"])
            )
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"front end of the bundle is incomplete: {error}"
            ) from None
        fixed = FrontEndConfig(normalise=config.normalise).to_dict()
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
        self.mfcc = Mfcc(config.mfcc)
        self.normaliser = Normaliser(config.normalise)

    def reset(self) -> None:
        """Forget samples and level, as at a gap."""
        self.mfcc.reset()
        self.normaliser.reset()

    def prime(self, block: Block) -> None:
        """Go on behind `block`, which itself gives no frames; the level is kept."""
        self.mfcc.prime(block)

    def feed(self, block: Block) -> tuple[int, FloatArray]:
        """Index of the first new frame and the frames, shape (m, 39), m at most 8."""
        if block.first:
            self.reset()
        first, frames = self.mfcc.feed(block)
        return first, self.normaliser.feed(frames)


def frames_of(samples: FloatArray, config: FrontEndConfig) -> FloatArray:
    """All frames of a whole signal, shape (n, 39), exactly as a stream gives them.

    Only whole blocks are computed: pad `samples` to 200 + 1600 m to lose nothing.
    """
    front_end, blocker = FrontEnd(config), Blocker()
    parts = [
        front_end.feed(block)[1]
        for block in blocker.feed(Chunk(0, samples))
        if isinstance(block, Block)
    ]
    empty = np.zeros((0, config.mfcc.n_mfcc), np.float32)
    return np.concatenate(parts) if parts else empty
