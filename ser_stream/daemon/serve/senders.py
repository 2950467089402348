"""All clients that send audio, and the streams they opened.

Everything here runs in the thread of the server's loop; others may read the numbers.
"""

from collections.abc import Callable, Sequence
from itertools import chain, count

from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.compute_loop import ComputeLoop, Told
from ser_stream.daemon.serve.sender import Sender
from ser_stream.model import Model
from ser_stream.protocol.messages import Message, bye
from ser_stream.sinks import Sink
from ser_stream.sinks.sockets.subscribers import Subscribers
from ser_stream.sources.network.incoming import Incoming
from ser_stream.sources.network.ogg_stream import OggStream
from ser_stream.sources.network.open_request import OpenRequest
from ser_stream.sources.network.raw_samples import RawSamples


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
            spare_by_unix=False,
        )
        self.limits = limits
        self.opened = 0
        """Streams since the start."""
        self.model = model
        self._sinks = sinks
        self._parting = False
        self._streams: dict[ClientStream, Sender] = {}
        self.compute = ComputeLoop(lambda told: call(self._tell, told))

    def limit_files(self, files: int) -> None:
        """As there; a stream of Ogg takes a socket and the two ends of a pipe."""
        super().limit_files(files // 3)

    @property
    def may_wait(self) -> bool:
        """Whether those that have ended may take their time to read: not at our end."""
        return not self._parting

    async def part(self, reason: str) -> None:
        self._parting = True
        await super().part(reason)

    def open_stream(self, sender: Sender, request: OpenRequest) -> ClientStream:
        """Begin a stream of a client."""
        name = self._name(request.name or sender.kind)
        incoming: Incoming
        if request.raw is None:
            incoming = OggStream(name)
        else:
            incoming = RawSamples(request.raw, name)
        stream = ClientStream(self.model, incoming, name)
        incoming.on_ready = lambda: self.wake(stream)
        self._streams[stream] = sender
        self.opened += 1
        return stream

    def _name(self, wanted: str) -> str:
        """One that no other has now; not more of them than there are streams."""
        used = {stream.name for stream in self._streams}
        numbered = (f"{wanted}-{n}" for n in count(2))
        return next(name for name in chain([wanted], numbered) if name not in used)

    @property
    def full(self) -> bool:
        """Whether one more would be one too many."""
        return len(self._members) >= self.max_subscribers

    def wake(self, stream: ClientStream) -> None:
        """There is something to compute of it."""
        self.compute.wake(stream)

    def forget(self, stream: ClientStream) -> None:
        """Nobody is there any more."""
        stream.gone = True
        stream.incoming.close()
        if self._streams.pop(stream, None) is not None:
            self.publish(stream, [bye("end")])

    def _tell(self, told: Sequence[Told]) -> None:
        for one in told:
            sender = self._streams.get(one.stream)
            if sender is not None:
                self.publish(one.stream, one.messages)
                sender.told(one)

    def publish(self, stream: ClientStream, messages: Sequence[Message]) -> None:
        """Have the outputs told of a stream, too."""
        if not self._sinks:
            return
        for message in messages:
            # Of a snapshot, an output that goes on has no use.
            if message.type != "snapshot":
                named = Message({**message.fields, "source": stream.name})
                for sink in self._sinks:
                    sink.send(named)
