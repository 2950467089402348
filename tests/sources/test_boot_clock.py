"""Time passes, asleep or awake."""

import time

from ser_stream.sources.boot_clock import elapsed


def test_it_goes_on_like_any_clock_while_the_machine_is_awake() -> None:
    before, begin, after = time.monotonic(), elapsed(), time.monotonic()
    time.sleep(0.05)
    shortest = time.monotonic() - after
    passed = elapsed() - begin
    assert shortest - 1e-3 <= passed <= time.monotonic() - before + 1e-3
