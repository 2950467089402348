"""Several channels -> one: one of them, or their mean if that does not cancel.

A microphone that is wired the wrong way round, or a file in which one channel is the
other upside down, is silence in the mean. Then the loudest channel is taken.
"""

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import ConfigError, SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import MAX_CHANNELS

_LOGGER = logging.getLogger(__name__)
MIX: Final = "mix"
EACH: Final = "each"
_NAMES: Final = {"left": 1, "right": 2}
CELL_S = 0.01
"""Channels are compared, and chosen, over such stretches of the grid."""
_KEPT = 0.98
"""Of what was loud a cell before; half a second."""
_ENOUGH = 10
"""Cells with sound before a mean is said to cancel."""
_QUIET = 1e-6
"""Mean square under which a channel is silent, -60 dBFS."""
_CANCELS = 0.1
"""Power of the mean, of what channels that have nothing in common would leave."""
_LOUDER = 2.0
"""Power by which another channel must be louder to be taken instead."""


def checked(channel: str) -> str:
    """A name of a channel as a user gives it, if it is one.

    Raises:
        ConfigError: if not.
    """
    number = channel.isascii() and channel.isdigit() and len(channel) < 4
    if channel in (MIX, EACH, *_NAMES) or (
        number and 1 <= int(channel) <= MAX_CHANNELS
    ):
        return channel
    raise ConfigError(
        f"channel is {channel!r}; allowed: mix, left, right, each, or a number from 1 "
        f"to {MAX_CHANNELS}"
    )


def number_of(channel: str) -> int | None:
    """The number of a channel, from 1; None for the mean of all, and for each."""
    if channel in (MIX, EACH):
        return None
    return _NAMES.get(channel) or int(channel)


class ChannelMixer:
    """Samples of shape (n, channels) -> (m,); how they are cut does not matter.

    With `each` of several channels they stay as they are, (n, channels).
    """

    def __init__(self, rate: int, channels: int, channel: str, name: str) -> None:
        """Begin; `name` is what messages call the samples.

        Raises:
            SourceError: if there is no such channel.
        """
        self._name = name
        self._apart = channel == EACH and channels > 1
        self._index: int | None = None
        wanted = number_of(channel)
        if wanted is not None:
            if wanted > channels:
                raise SourceError(
                    f"{name} has {channels} channel{'s' * (channels > 1)}; there is no "
                    f"channel {channel}"
                )
            self._index = wanted - 1
        elif channels == 1:
            self._index = 0
        self._cell = max(1, round(rate * CELL_S))
        self._told = False
        self.reset(channels)

    def reset(self, channels: int) -> None:
        """Nothing is known of the channels any more, as after a gap."""
        self._rest = np.zeros((0, channels), np.float32)
        self._loud = [0.0] * channels
        self._mixed = 0.0
        self._sounding = 0
        self._taken: int | None = None

    def feed(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """The next samples; what is left of a cell waits for the rest of it."""
        if self._apart:
            return np.ascontiguousarray(samples, np.float32)
        if self._index is not None:
            return np.ascontiguousarray(samples[:, self._index], np.float32)
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        whole = len(samples) // self._cell * self._cell
        # Channel by channel: numpy takes ten times as long over many sums of two.
        apart = np.array(samples.T, np.float64, order="C")
        mixed = apart.sum(axis=0) / len(apart)
        mean: FloatArray = mixed.astype(np.float32)
        powers = self._powers(apart[:, :whole]).T.tolist()
        of_mean = self._powers(mixed[None, :whole])[0].tolist()
        for i, (power, of_mixed) in enumerate(zip(powers, of_mean, strict=True)):
            self._compare(power, of_mixed)
            if self._taken is not None:
                cell = slice(i * self._cell, (i + 1) * self._cell)
                mean[cell] = samples[cell, self._taken]
        if not last:
            self._rest = samples[whole:].copy()
            return mean[:whole]
        if self._taken is not None:
            mean[whole:] = samples[whole:, self._taken]
        self._rest = samples[:0]
        return mean

    def _powers(self, channels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean squares of each cell, (channels, cells)."""
        cells = channels.reshape(len(channels), -1, self._cell)
        sums: NDArray[np.float64] = np.einsum("nij,nij->ni", cells, cells)
        return sums / self._cell

    def _compare(self, power: Sequence[float], mixed: float) -> None:
        pairs = zip(self._loud, power, strict=True)
        loud = self._loud = [_KEPT * before + now for before, now in pairs]
        self._mixed = _KEPT * self._mixed + mixed
        loudest = loud.index(max(loud))
        if self._taken is not None:
            if loud[loudest] > _LOUDER * loud[self._taken]:
                self._taken = loudest
            return
        self._sounding += max(power) > _QUIET
        apart = sum(loud) / len(power) ** 2
        if self._sounding >= _ENOUGH and self._mixed < _CANCELS * apart:
            self._taken = loudest
            if not self._told:
                self._told = True
                _LOGGER.warning(
                    "%s: the mean of its channels cancels; the loudest is heard, now "
                    "channel %d; --channel chooses another",
                    self._name,
                    loudest + 1,
                )
