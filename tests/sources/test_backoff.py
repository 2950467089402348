"""Pauses double up to the longest; after `reset` the shortest comes again."""

import time

import pytest

from ser_stream.sources.backoff import Backoff


class Clock:
    """A clock that stands still until the test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    pauses = Backoff(1.0, 5.0)

    def pause() -> float:
        """How long it takes until it is due."""
        begin = clock.now
        while not pauses.due:
            clock.now += 0.5
        return clock.now - begin

    assert pause() == 0.0
    lengths = []
    for _ in range(5):
        pauses.tried()
        lengths.append(pause())
    assert lengths == [1.0, 2.0, 4.0, 5.0, 5.0]
    pauses.tried()
    pauses.reset()
    assert pause() == 0.0
    pauses.tried()
    assert pause() == 1.0
