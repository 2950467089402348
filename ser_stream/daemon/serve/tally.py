"""What has happened since the start: who came and went, and what was heard."""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ser_stream.metrics.health import Health

VANISHED = "vanished"
"""Why a stream ended whose client left without a word."""
_SUMS = ("end", "steps", "emotions", "overflows", "gaps", "lost_samples")


class Tally:
    """The loop's thread writes, and others read."""

    def __init__(self) -> None:
        self.opened = 0
        self.refused = Counter[str]()
        """Clients that were told no, by code."""
        self.ended = Counter[str]()
        """Streams, by the reason of `bye`; or `vanished`."""
        self._current: dict[int, Health] = {}
        self._past = Health()
        self._lock = threading.Lock()

    def begun(self, health: Health) -> None:
        """A stream is there, of which this is counted."""
        self.opened += 1
        with self._lock:
            self._current[id(health)] = health

    def over(self, health: Health, reason: str) -> None:
        """It is not any more."""
        self.ended[reason] += 1
        with self._lock:
            del self._current[id(health)]
            self._past = _added([self._past, health])

    def sums(self) -> Health:
        """Of all streams that are there or were; nothing in it ever falls."""
        with self._lock:
            return _added([self._past, *self._current.values()])


def _added(healths: Iterable[Health]) -> Health:
    found = list(healths)
    sums = {name: sum(getattr(one, name) for one in found) for name in _SUMS}
    return replace(found[0], **sums)
