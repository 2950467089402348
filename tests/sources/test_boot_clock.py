"""Time passes, asleep or awake."""

import time

from ser_stream.sources.boot_clock import elapsed


def test_it_goes_on_like_any_clock_while_the_machine_is_awake() -> None:
    begin, monotonic = elapsed(), time.monotonic()
    time.sleep(0.05)
    assert abs(elapsed() - begin - (time.monotonic() - monotonic)) < 0.01
