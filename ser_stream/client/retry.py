"""How long to wait before the next attempt to connect."""

import random

SHORTEST = 0.25  # seconds
LONGEST = 5.0


class Backoff:
    """Delays of 0.25 s to 5 s that grow, spread by chance.

    By chance, since all subscribers of a daemon that ends lose it in the same instant.
    """

    def __init__(self) -> None:
        self._ceiling = SHORTEST

    def next(self) -> float:
        self._ceiling = min(2 * self._ceiling, LONGEST)
        return random.uniform(SHORTEST, self._ceiling)

    def reset(self) -> None:
        self._ceiling = SHORTEST
