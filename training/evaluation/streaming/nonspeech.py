"""Hours without a voice: which sounds fill each minute of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.evaluation.streaming.conditions import with_gain
from training.evaluation.streaming.noises import Noise
from training.evaluation.streaming.synthetic_noise import (
    COLOURED,
    FAULTS,
    OTHER,
    Signal,
)

GAINS_DB = (-20, -10, 0, 10, 20)
PIECE_S = 60
"""Each piece is a stream of its own: a speech gate errs most easily at beginnings."""
SYNTHETIC_DBFS = -20.0
"""Level of what was never recorded, before the gain."""
SHARES = ("one recording", "two recordings") * 2 + ("synthetic",)
"""What the pieces are, over and over."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A minute that is not made yet."""

    family: str
    name: str
    gain_db: int
    signal: Signal
    seed: tuple[int, ...]

    def make(self) -> FloatArray:
        samples = self.signal(PIECE_S * SAMPLE_RATE, np.random.default_rng(self.seed))
        return with_gain(samples, self.gain_db)


def pieces(recordings: Sequence[Noise], n: int, seed: int) -> Iterator[Piece]:
    """`n` minutes: every source at every gain before one comes again.

    No recording may have a voice. Order, offsets, mixtures and synthetic signals are
    of the seed.
    """
    rng = np.random.default_rng(seed)
    pairs = list(combinations(recordings, 2)) or [(recordings[0], recordings[0])]
    sources: dict[str, list[tuple[str, Signal]]] = {
        "one recording": [(noise.name, noise.excerpt) for noise in recordings],
        "two recordings": [(f"{a.name} + {b.name}", _mixed(a, b)) for a, b in pairs],
        "synthetic": [
            (name, _at_level(signal))
            for name, signal in {**COLOURED, **OTHER, **FAULTS}.items()
        ],
    }
    turns = {
        family: _round_and_round(list(product(found, GAINS_DB)), rng)
        for family, found in sources.items()
    }
    for i in range(n):
        family = SHARES[i % len(SHARES)]
        (name, signal), gain_db = next(turns[family])
        yield Piece(family, name, gain_db, signal, (seed, i))


def voices(recordings: Sequence[Noise], seed: int) -> Iterator[Piece]:
    """A minute at each gain of recordings with a voice, but no speech."""
    for i, (noise, gain_db) in enumerate(product(recordings, GAINS_DB)):
        yield Piece("with a voice", noise.name, gain_db, noise.excerpt, (seed, 1, i))


def _round_and_round(
    items: list[tuple[tuple[str, Signal], int]], rng: np.random.Generator
) -> Iterator[tuple[tuple[str, Signal], int]]:
    while True:
        for i in rng.permutation(len(items)):
            yield items[i]


def _mixed(a: Noise, b: Noise) -> Signal:
    def make(n: int, rng: np.random.Generator) -> FloatArray:
        one, other = a.excerpt(n, rng), b.excerpt(n, rng)
        # The second within 10 dB of the first, whatever levels they were recorded at.
        ratio = one.std() / max(float(other.std()), 1e-9) * 10 ** rng.uniform(-0.5, 0.5)
        return one + np.float32(ratio) * other

    return make


def _at_level(signal: Signal) -> Signal:
    level = np.float32(10 ** (SYNTHETIC_DBFS / 20))
    return lambda n, rng: level * signal(n, rng)
