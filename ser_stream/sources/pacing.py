"""Real-time pace for sources that could deliver faster."""

import time
from collections.abc import Callable
from dataclasses import replace

from ser_stream.pipeline.values import SAMPLE_RATE, Chunk


class Pacer:
    """Holds chunks of a recording back until a microphone would have delivered them."""

    def __init__(self, realtime: bool) -> None:
        self._realtime = realtime
        self._begin: float | None = None
        self._chunk: Chunk | None = None

    def next(self, load: Callable[[], Chunk | None], timeout: float) -> Chunk | None:
        """The next chunk that `load` gives, when it is due; see `Source.read`.

        A chunk that is not due within `timeout` is kept for the next call.
        """
        if self._chunk is None:
            self._chunk = load()
        if self._chunk is None or not self.wait(self._chunk.end, timeout):
            return None
        chunk, self._chunk = self._chunk, None
        return replace(chunk, arrived=time.monotonic())

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
