"""Time that goes on while the machine sleeps."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds that really passed since some moment in the past.

    `time.monotonic` stands still on Linux while the machine is suspended; audio that
    was not recorded meanwhile is lost all the same, and has to be counted.
    """
    return time.clock_gettime(_CLOCK)
