"""Embeddings of turns -> voices: online clustering, a bounded number of clusters.

A turn is of the voice whose mean embedding is nearest by the cosine, if it is near
enough; else it is of a new voice. Voices that have grown alike become one. The limits
were chosen on some corpora and measured on others (docs/speakers.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

KNOWN = 0.67
"""Cosine with its mean from which a turn is of a voice."""
STRANGER = 0.5
"""Cosine under which it is of none, though no more voices are allowed: then the one
that was not heard for longest gives way."""
SAME = 0.85
"""Cosine of two means from which they are taken for one voice."""
SAME_S = 5.0
"""Both have to be heard for so long before, seconds."""
REMEMBERED_S = 24 * 3600.0
"""A voice that is not heard for so long is forgotten, seconds of the stream."""
MOST_WEIGHT = 60.0
"""Embeddings that the mean of a voice is of at most; older ones fade."""
FEWEST, MOST = 1, 16
"""How many voices a user may allow."""
Sum = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Voice:
    """One of them: what it sounds like, and when it was heard."""

    number: int
    """Counts the voices of the stream from 1; never given to another."""
    total: Sum
    """Sum of its embeddings, (256,)."""
    weight: float
    """How many they are."""
    seconds: float = 0.0
    """Of its turns in this stream."""
    last: int | None = None
    """Sample index at which it was heard last; None if not in this stream."""
    name: str | None = None
    kept: bool = False
    """Whether it is on disk, and so never forgotten by itself."""


def cosine(a: Sum | FloatArray, b: Sum | FloatArray) -> float:
    """Cosine of the angle between two vectors; 0 if one of them is nothing."""
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0


class Voices:
    """All voices of a stream."""

    def __init__(self, most: int = 4) -> None:
        """At most so many at once; they give way to each other."""
        self.most = most
        self._voices: dict[int, Voice] = {}
        self._given = 0

    def __iter__(self) -> Iterator[Voice]:
        """By their numbers."""
        return iter(sorted(self._voices.values(), key=lambda voice: voice.number))

    def new_number(self) -> int:
        """One that was never given; `learn` makes a voice of it."""
        self._given += 1
        return self._given

    def nearest(self, total: Sum) -> tuple[int | None, float]:
        """Number of the voice that a sum of embeddings is nearest to, and the cosine.

        None and 0 where there is no voice.
        """
        near = [(cosine(total, voice.total), -voice.number) for voice in self]
        if not near:
            return None, 0.0
        best, number = max(near)
        return -number, best

    def matching(self, total: Sum) -> int | None:
        """Number of the voice that a turn is of; None if of none that is known."""
        number, near = self.nearest(total)
        full = len(self._voices) >= self.most
        return number if near >= (STRANGER if full else KNOWN) else None

    def learn(
        self, number: int, total: Sum, weight: float, seconds: float, end: int
    ) -> int:
        """Take in what was heard of a voice.

        Args:
            number: of a voice, or of `new_number`.
            total: sum of embeddings, (256,).
            weight: how many they are.
            seconds: of speech.
            end: sample index at which it ends.

        Returns:
            The number it has now: it may have turned out to be another one.
        """
        voice = self._voices.get(number)
        if voice is None:
            if len(self._voices) >= self.most:
                self._give_way()
            voice = Voice(number, np.zeros_like(total), 0.0)
            self._voices[number] = voice
        _add(voice, total, weight)
        voice.seconds += seconds
        voice.last = end
        return self._merge_alike(voice)

    def forget_old(self, now: int) -> None:
        """Forget voices that were last heard more than a day before sample `now`."""
        longest = REMEMBERED_S * SAMPLE_RATE
        for voice in list(self):
            if not voice.kept and now - (voice.last or 0) > longest:
                del self._voices[voice.number]

    def know(self, name: str, total: Sum, weight: float) -> None:
        """Begin with a voice that was kept; one of this name that is there stays."""
        for voice in self:
            if voice.name == name:
                voice.kept = True
                return
        number = self.new_number()
        self._voices[number] = Voice(number, total.copy(), weight, name=name, kept=True)
        self.most = max(self.most, len(self._voices))

    def find(self, which: str) -> Voice:
        """A voice by its number or name.

        Raises:
            ConfigError: if there is none, with those that there are.
        """
        for voice in self:
            if which in (str(voice.number), voice.name):
                return voice
        there = ", ".join(
            str(v.number) if v.name is None else f"{v.number} ({v.name})" for v in self
        )
        raise ConfigError(f"no speaker is {which!r}; allowed: {there or 'none yet'}")

    def name(self, which: str, name: str) -> Voice:
        """Give a voice a name; nobody else may have it.

        Raises:
            ConfigError: if there is no such voice, or another one has the name.
        """
        voice = self.find(which)
        other = next((v for v in self if v.name == name and v is not voice), None)
        if other is not None:
            raise ConfigError(
                f"speaker {other.number} is named {name!r}; if they are one, "
                f"`ser-stream speakers merge {other.number} {voice.number}`"
            )
        voice.name = name
        return voice

    def merge(self, which: str, other: str) -> Voice:
        """Make one of two: the first keeps its number, and its name if it has one.

        Raises:
            ConfigError: if there is no such voice, or both are the same.
        """
        into, gone = self.find(which), self.find(other)
        if into is gone:
            raise ConfigError(f"both are speaker {into.number}")
        self._merge(into, gone)
        return into

    def forget(self, which: str) -> Voice:
        """Forget a voice.

        Raises:
            ConfigError: if there is no such voice.
        """
        return self._voices.pop(self.find(which).number)

    def forget_all(self) -> None:
        """Forget everybody, kept or not; numbers are not given again."""
        self._voices.clear()

    def _give_way(self) -> None:
        """Forget who was not heard for longest; the named and the kept come last."""
        gone = min(
            self, key=lambda v: (v.kept, v.name is not None, v.last or 0, v.number)
        )
        del self._voices[gone.number]

    def _merge_alike(self, voice: Voice) -> int:
        for other in list(self):
            if other is voice or other.number not in self._voices:
                continue
            if min(voice.seconds, other.seconds) < SAME_S:
                continue
            if voice.name is not None and other.name is not None:
                continue  # Whoever named them knows better.
            if cosine(voice.total, other.total) >= SAME:
                into, gone = sorted(
                    (voice, other), key=lambda v: (v.name is None, v.number)
                )
                self._merge(into, gone)
                voice = into
        return voice.number

    def _merge(self, into: Voice, gone: Voice) -> None:
        del self._voices[gone.number]
        _add(into, gone.total, gone.weight)
        into.seconds += gone.seconds
        into.last = max(
            (last for last in (into.last, gone.last) if last is not None), default=None
        )
        into.name = into.name or gone.name
        into.kept |= gone.kept


def _add(voice: Voice, total: Sum, weight: float) -> None:
    voice.total = voice.total + total
    voice.weight += weight
    if voice.weight > MOST_WEIGHT:
        voice.total = voice.total * (MOST_WEIGHT / voice.weight)
        voice.weight = MOST_WEIGHT
