"""The loop's thread, and those that outlast it."""

import pytest

from ser_stream.sinks.sockets.loop_thread import LoopThread


@pytest.mark.parametrize("started", [True, False])
def test_what_comes_after_the_end_is_dropped(started: bool) -> None:
    loop = LoopThread("test")
    called: list[int] = []
    if started:
        loop.start()
        loop.call(called.append, 1)
    loop.stop()
    loop.call(called.append, 2)
    assert called == ([1] if started else [])
