"""One client's audio on its way to messages: its own pipeline, id, numbers and t0."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from ser_stream.daemon.announcer import Announcer
from ser_stream.errors import SerStreamError, SourceError
from ser_stream.metrics.health import Health
from ser_stream.model import Model
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioInfo,
    AudioState,
    Chunk,
    StreamEvent,
)
from ser_stream.protocol.messages import Message
from ser_stream.sources.network.incoming import Incoming

HEAD_START_S = 1.0
"""Seconds by which audio may come sooner than it was spoken and still be live."""
FORGIVEN = 1.02
"""Clocks of sound cards differ: so much faster is still as it is spoken."""
LATE_S = 1.0
"""Seconds of live audio that may wait before the machine counts as too slow."""
_NOT_KEPT = deque[float](maxlen=0)


class _Collector:
    """A sink that keeps messages until they are fetched; see `Sink`."""

    error: SerStreamError | None = None
    closed = False

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message, /) -> None:
        self.messages.append(message)

    def stop_waiting(self) -> None: ...

    def close(self) -> None: ...


class ClientStream:
    """Bytes are put in by the loop's thread; all else is the computing thread's."""

    def __init__(
        self,
        model: Model,
        incoming: Incoming,
        name: str,
        latencies: deque[float] = _NOT_KEPT,
        observe: Callable[[float], None] | None = None,
    ) -> None:
        """Begin; what is to be said first can be fetched.

        Args:
            model: that computes it.
            incoming: its audio.
            name: what it is called.
            latencies: get those of its steps, in seconds, but for audio that comes
                faster than it was spoken; of all streams, or there were megabytes.
            observe: told the same.
        """
        self.incoming = incoming
        self.pipeline = model.pipeline()
        self.held = False
        """Set in the loop's thread while the client is behind with reading: audio that
        comes faster than it was spoken waits for that, live audio does not."""
        self.closing = False
        """Set in the loop's thread when it is ended by us, and waits for nobody."""
        self.gone = False
        """Set in the loop's thread when there is nobody any more to be told."""
        self.told = False
        """Set in the loop's thread when the last event has come there."""
        self.failure: str | None = None
        """What was wrong with the audio; nothing is computed any more."""
        self.over = False
        """Whether the last event is out."""
        self.name = name
        self.source = name
        """What outputs call it, where they tell of all streams."""
        self._begun: float | None = None
        self._heard = False
        self._unheard = 0
        """Samples before the first that can be heard; until that is told."""
        self._end = 0
        """Sample index after the last that came, or was lost."""
        self._ahead_s = self._ahead_at = 0.0
        self._live = True
        self._hurries = False
        self._collector = _Collector()
        # Unlike a device it is there from the beginning.
        self.health = Health(audio=AudioState.HEALTHY, latencies=latencies)
        """What is counted of it."""
        self._latencies = latencies
        self._observe = observe
        self._announcer = Announcer(
            self,
            [self._collector],
            self.health,
            None if observe is None else self._observe_live,
        )
        self._announcer.use(model.bundle, model.config)
        self._announcer.begin(heard=False)

    def moved(self, lost_s: float) -> None:
        """It was elsewhere before, and so much was lost on the way."""
        self._announcer.moved(lost_s)

    # What the announcer asks.

    @property
    def info(self) -> AudioInfo:
        return AudioInfo("network", self.name, self.incoming.rate)

    @property
    def live(self) -> bool:
        """Whether its audio has never come faster than it was spoken."""
        return self._live

    # What the computing thread does.

    def hurries(self, now: float) -> bool:
        """Whether it is ahead of the clock, and so has to wait for the others."""
        passed = FORGIVEN * (now - self._ahead_at)
        self._ahead_s, self._ahead_at = max(0.0, self._ahead_s - passed), now
        ahead = self._ahead_s > HEAD_START_S
        self._live = self._live and not ahead
        self._hurries = ahead
        # What waits for its turn says nothing of the machine.
        self.health.latencies = _NOT_KEPT if ahead else self._latencies
        return ahead

    def _observe_live(self, latency: float) -> None:
        if self._observe is not None and not self._hurries:
            self._observe(latency)

    @property
    def waits_for_reader(self) -> bool:
        """Whether it may not go on, if it hurries, until its client has read."""
        return self.held and not self.closing

    def late(self, now: float) -> bool:
        """Whether it is we who are behind the clock; from any thread."""
        if self._begun is None or self._hurries or self.incoming.waiting_s < LATE_S:
            return False
        return now - self._begun - self._end / SAMPLE_RATE > LATE_S

    def take(self, most_s: float) -> list[Chunk]:
        """Chunks that wait; none if the audio turns out to be wrong."""
        try:
            chunks = self.incoming.take(most_s)
        except SourceError as error:
            self.failure = str(error)
            return []
        if chunks and self._begun is None:
            self._begun = time.monotonic()
        if chunks and not self._heard:
            # Where those before it are no numbers, the first one begins later.
            self._unheard = next(
                (chunk.start for chunk in chunks if len(chunk.samples)), chunks[-1].end
            )
        if chunks:
            self._end = chunks[-1].end
        chunks = [chunk for chunk in chunks if len(chunk.samples)]
        self._ahead_s += sum(len(chunk.samples) for chunk in chunks) / SAMPLE_RATE
        return chunks

    def heard(self, chunk: Chunk, events: Sequence[StreamEvent]) -> None:
        """Tell of what a chunk caused."""
        self._announcer.set_clock(chunk)
        self._tell_unheard()
        self._heard = True
        self._announcer.processed(chunk, events)

    def _tell_unheard(self) -> None:
        if self._unheard:
            self._announcer.unheard(self._unheard, self._unheard)
            self._unheard = 0

    def finish(self) -> None:
        """The audio has ended: tell what is left to be told."""
        self._tell_unheard()
        self._announcer.events(self.pipeline.flush(), time.monotonic())
        if self._heard and self._end > self.health.end:
            self._announcer.unheard(self._end - self.health.end, self._end)
        self.over = True

    def fail(self) -> None:
        """Computing it failed: end what was told, and compute nothing more."""
        self.over = True
        self._announcer.events(self.pipeline.give_up(), time.monotonic())

    def fetch(self) -> list[Message]:
        """Messages since the last time."""
        messages = self._collector.messages
        self._collector.messages = []
        return messages

    @property
    def waits(self) -> bool:
        """Whether there is something to compute."""
        if self.gone or self.over or self.failure is not None:
            return False
        return self.incoming.ready
