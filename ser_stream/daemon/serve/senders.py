"""All clients that send audio, and the streams they opened.

Everything here runs in the thread of the server's loop; others may read the numbers.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count
from typing import Any, cast

from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.compute_loop import ComputeLoop, Told
from ser_stream.daemon.serve.sender import OPEN_WAIT_S, Sender
from ser_stream.daemon.serve.tally import VANISHED, Tally
from ser_stream.metrics.health import LATENCIES
from ser_stream.model import Model
from ser_stream.protocol.address import SOCKETS
from ser_stream.protocol.messages import Message, begun, bye
from ser_stream.protocol.requests import RequestError
from ser_stream.sinks import Sink
from ser_stream.sinks.sockets.subscriber import Subscriber
from ser_stream.sinks.sockets.subscribers import MORE_BY_UNIX, Subscribers
from ser_stream.sources.named import as_name
from ser_stream.sources.network.incoming import Incoming
from ser_stream.sources.network.ogg_stream import OggStream
from ser_stream.sources.network.open_request import OpenRequest
from ser_stream.sources.network.raw_samples import RawSamples

MOST_ASKERS = MORE_BY_UNIX
"""Connections beside those of all streams, as only `status` is asked on; and as many
again that nobody else can take, for operators."""


class Senders(Subscribers):
    """Who is connected, and what they send."""

    def __init__(
        self,
        model: Model,
        limits: ServeConfig,
        token: str | None,
        call: Callable[..., None],
        sinks: Sequence[Sink] = (),
    ) -> None:
        """Begin without any.

        Args:
            model: of all streams.
            limits: how many, and for how long.
            token: what clients over a network must know; None for nothing.
            sinks: get the events of all, with the names of their streams.
            call: has something called in the loop's thread, from any other.
        """
        super().__init__(
            token=token,
            max_subscribers=limits.max_streams,
            called="streams",
        )
        self.limits = limits
        self.tally = Tally()
        self.latencies = deque[float](maxlen=LATENCIES)
        """Seconds from the arrival of a live step's last sample to its line, of the
        last steps of all."""
        self.observe: Callable[[float], None] | None = None
        """Told the same, of streams that are opened from then on."""
        self.model = model
        self._sinks = sinks
        self._parting = False
        self._askers: set[Sender] = set()
        self.status: Callable[[str], Mapping[str, Any]] = lambda _kind: {}
        """How the server is, as one is told who is connected by this kind."""
        self._streams: dict[ClientStream, Sender] = {}
        self._ending: dict[ClientStream, str] = {}
        """Whose clients are gone, and why; outputs are still to be told the last of
        them."""
        self.compute = ComputeLoop(lambda told: call(self._tell, told))

    def limit_files(self, files: int) -> None:
        """As there; a stream of Ogg takes a socket and the two ends of a pipe."""
        # Of askers, there is room for half among the spare ones.
        super().limit_files((files - MOST_ASKERS) // 3)

    def allow(self, limits: ServeConfig, token: str | None) -> None:
        """Other limits and another token, for all that comes from now on."""
        self.limits, self.token = limits, token
        self.max_subscribers = min(limits.max_streams, self.most_by_files)

    @property
    def may_wait(self) -> bool:
        """Whether those that have ended may take their time to read: not at our end."""
        return not self._parting

    async def part(self, reason: str) -> None:
        self._parting = True
        await super().part(reason)

    def has_room_for(self, subscriber: Subscriber) -> bool:
        """Whether one more may join; when all is full some may, to ask for `status`."""
        if not self.full:
            return True
        if subscriber.kind not in SOCKETS:
            return False
        operator = cast(Sender, subscriber).operator
        alike = [asker for asker in self._askers if asker.operator is operator]
        return len(alike) < MOST_ASKERS

    def no_room_for(self, subscriber: Subscriber) -> str:
        if subscriber.kind not in SOCKETS:
            return super().no_room_for(subscriber)
        return (
            f"too many ask already: the {self.max_subscribers} {self.called} are "
            f"taken, and so are the {MOST_ASKERS} connections beside them that may ask "
            f"for status; try again in {OPEN_WAIT_S:g} s"
        )

    def join(self, subscriber: Subscriber) -> bool:
        only_asks = self.full
        joined = super().join(subscriber)
        if joined and only_asks:
            self._askers.add(cast(Sender, subscriber))
        return joined

    def leave(self, subscriber: Subscriber) -> None:
        self._askers.discard(cast(Sender, subscriber))
        super().leave(subscriber)

    def open_stream(self, sender: Sender, request: OpenRequest) -> ClientStream:
        """Begin a stream of a client.

        Raises:
            RequestError: if there are as many as there may be.
        """
        if sender in self._askers:
            if self.full:
                text = f"there are {self.max_subscribers} {self.called} already"
                raise RequestError("too_many", text, request.id)
            self._askers.remove(sender)
        name = self._unused(request.name or sender.kind, lambda other: other.name)
        incoming: Incoming
        if request.raw is None:
            incoming = OggStream(name, sender.take_more)
        else:
            incoming = RawSamples(request.raw, name)
        stream = ClientStream(self.model, incoming, name, self.latencies, self.observe)
        stream.source = self._unused(
            as_name(name) or sender.kind, lambda other: other.source
        )
        incoming.on_ready = lambda: self.wake(stream)
        self._streams[stream] = sender
        self.tally.begun(stream.health)
        return stream

    def _unused(self, wanted: str, of: Callable[[ClientStream], str]) -> str:
        """One that no other has now; not more of them than there are streams."""
        used = {of(stream) for stream in chain(self._streams, self._ending)}
        numbered = (f"{wanted}-{n}" for n in count(2))
        return next(name for name in chain([wanted], numbered) if name not in used)

    @property
    def full(self) -> bool:
        """Whether one more would be one too many."""
        return len(self._members) - len(self._askers) >= self.max_subscribers

    def wake(self, stream: ClientStream) -> None:
        """There is something to compute of it."""
        self.compute.wake(stream)

    def forget(self, stream: ClientStream, reason: str) -> None:
        """Nobody is there any more; why, as `bye` says it."""
        stream.incoming.close()
        if self._streams.pop(stream, None) is None:
            return
        self.tally.over(stream.health, reason)
        if reason == VANISHED:
            reason = "end"
        if stream.told:
            self.publish(stream, [bye(reason)])
        elif self._sinks:
            # An emotion that has begun has an end, which is computed first.
            self._ending[stream] = reason
            self.wake(stream)
        else:
            stream.gone = True

    @property
    def open(self) -> Counter[str]:
        """Streams that are open, by kind of address; from any thread."""
        return Counter(sender.kind for sender in list(self._streams.values()))

    def late(self) -> int:
        """How many live streams the machine is behind with; from any thread."""
        now = time.monotonic()
        return sum(stream.late(now) for stream in list(self._streams))

    def _tell(self, told: Sequence[Told]) -> None:
        for one in told:
            stream, sender = one.stream, self._streams.get(one.stream)
            stream.told = one.over
            if sender is not None:
                self.publish(stream, one.messages)
                sender.told(one)
            elif stream in self._ending:
                self.publish(stream, one.messages)
                if one.over:
                    self.publish(stream, [bye(self._ending.pop(stream))])

    def publish(self, stream: ClientStream, messages: Sequence[Message]) -> None:
        """Have the outputs told of a stream, too."""
        if not self._sinks:
            return
        for message in messages:
            # Of a snapshot, an output that goes on has no use.
            if message.type != "snapshot":
                named = Message(
                    {**begun(message.type, stream.source), **message.fields}
                )
                for sink in self._sinks:
                    sink.send(named)
