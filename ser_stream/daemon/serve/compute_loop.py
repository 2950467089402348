"""The one thread that computes: what came from all streams, together, tick by tick.

It sleeps while nothing comes. Live audio goes first. Audio that comes faster than it
was spoken has the time that is left over, a few streams at a time and in turn, so that
whoever floods waits, and nobody else does.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ser_stream.daemon.computing import compute_each
from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.occupation import Occupation
from ser_stream.log import Every
from ser_stream.pipeline.values import Chunk
from ser_stream.protocol.messages import Message

_LOGGER = logging.getLogger(__name__)
TICK_S = 0.02
"""Least time from one tick to the next: what comes meanwhile is computed together."""
PIECE_S = 0.5
"""Seconds of audio of one stream in one go."""
HURRY_S = 0.2
"""Likewise of one that hurries: live streams wait for no more than that."""
AT_ONCE = 4
"""Streams that hurry, between two looks at the clock."""
BEAT_S = 1.0
"""Longest sleep, so that others see that it goes on."""


class Told(NamedTuple):
    """What came of one stream in one go: all of it, since the stream goes on."""

    stream: ClientStream
    messages: Sequence[Message]
    over: bool
    """Whether this was the last."""
    failure: str | None
    """What was wrong with the audio."""
    failed: bool
    """Whether computing it failed, for which it is not to blame."""


class ComputeLoop:
    """`wake` and `stop` are for other threads."""

    def __init__(self, deliver: Callable[[Sequence[Told]], None]) -> None:
        """Prepare; `deliver` is called in the computing thread, and must not wait."""
        self._deliver = deliver
        self._changed = threading.Condition()
        self._ready: dict[ClientStream, None] = {}
        self._hurrying: dict[ClientStream, None] = {}
        self._stopping = False
        self._overload = Every(10.0)
        self.occupation = Occupation()
        self._thread = threading.Thread(target=self._run, name="compute")

    def start(self) -> None:
        self._thread.start()

    def wake(self, stream: ClientStream) -> None:
        """There is something to compute of this one."""
        with self._changed:
            self._ready[stream] = None
            self._changed.notify()

    def stop(self) -> None:
        """End after the present tick."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while (ready := self._wait()) is not None:
            begin = time.monotonic()
            live = []
            for stream in ready:
                if stream.hurries(begin):
                    self._hurrying[stream] = None
                else:
                    live.append(stream)
            self._compute(live, PIECE_S)
            keeps_up = self._again(live)
            fast = time.monotonic()
            end = begin + TICK_S
            while keeps_up and self._hurrying:
                self._compute_hurrying()
                if time.monotonic() >= end:
                    break
            now = time.monotonic()
            self.occupation.spent(fast - begin, now - fast, now)
            pause = end - now
            if pause > 0:
                time.sleep(pause)

    def _wait(self) -> list[ClientStream] | None:
        """Streams of which something came; None for the end."""
        with self._changed:
            while not (self._ready or self._hurrying or self._stopping):
                self._changed.wait(BEAT_S)
                self.occupation.spent(0.0, 0.0, time.monotonic())
            if self._stopping:
                return None
            ready, self._ready = list(self._ready), {}
            return ready

    def _again(self, streams: Sequence[ClientStream]) -> bool:
        """Put those back of which not all was taken; True if there are none."""
        left = [stream for stream in streams if stream.waits]
        if not left:
            return True
        with self._changed:
            self._ready |= dict.fromkeys(left)
        now = time.monotonic()
        late = sum(stream.late(now) for stream in left)
        if late:
            self._overload.log(
                _LOGGER,
                logging.WARNING,
                "%d of %d streams are late; the machine is too slow or too busy: "
                "allow fewer with --max-streams",
                late,
                len(left),
            )
        return False

    def _compute_hurrying(self) -> None:
        group = list(self._hurrying)[:AT_ONCE]
        for stream in group:
            del self._hurrying[stream]
        # Whoever is behind with reading is woken when that has changed.
        ready = [stream for stream in group if not stream.waits_for_reader]
        self._compute(ready, HURRY_S)
        for stream in group:
            if stream.waits and not stream.waits_for_reader:
                self._hurrying[stream] = None

    def _compute(self, streams: Sequence[ClientStream], most_s: float) -> None:
        streams = [stream for stream in streams if stream.waits]
        if not streams:
            return
        # Whatever fails in one, the others must not notice.
        failed: dict[ClientStream, Exception] = {}
        work: list[tuple[ClientStream, Chunk]] = []
        for stream in streams:
            try:
                work += [(stream, chunk) for chunk in stream.take(most_s)]
            except Exception as error:  # noqa: BLE001  whatever a decoder raises
                failed[stream] = error
        failed |= compute_each(work)
        for stream in streams:
            if stream in failed:
                continue
            try:
                # Also before wrong audio is refused: what has begun has an end.
                if stream.incoming.exhausted or stream.failure is not None:
                    stream.finish()
            except Exception as error:  # noqa: BLE001  as above
                failed[stream] = error
        for stream, why in failed.items():
            _LOGGER.error("%s: computing failed", stream.name, exc_info=why)
            stream.fail()
        self._deliver(
            [
                Told(
                    stream,
                    stream.fetch(),
                    stream.over,
                    stream.failure,
                    stream in failed,
                )
                for stream in streams
            ]
        )
