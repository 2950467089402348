"""Real-time pace for sources that could deliver faster."""

import time

from ser_stream.values import SAMPLE_RATE


class Pacer:
    """Tells when a sample of a recording would have been heard."""

    def __init__(self, realtime: bool) -> None:
        self._realtime = realtime
        self._begin: float | None = None

    def wait(self, end: int, timeout: float) -> bool:
        """Wait until the audio up to sample `end` is due.

        Returns:
            False if that takes longer than `timeout` seconds; then it has slept so
            long, and the caller asks again.
        """
        if not self._realtime:
            return True
        now = time.monotonic()
        if self._begin is None:
            self._begin = now
        missing = self._begin + end / SAMPLE_RATE - now
        if missing > timeout:
            time.sleep(timeout)
            return False
        if missing > 0:
            time.sleep(missing)
        return True
