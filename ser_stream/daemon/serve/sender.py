"""One client that sends audio, whatever it is connected by.

Everything here runs in the thread of the server's loop.
"""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.tally import VANISHED
from ser_stream.protocol.messages import reply
from ser_stream.protocol.requests import EVENTS, Request, RequestError
from ser_stream.sinks.sockets.backpressure import MOST_BEHIND
from ser_stream.sinks.sockets.subscriber import Subscriber, later
from ser_stream.sinks.sockets.transport import Transport
from ser_stream.sources.network.open_request import CHECKS, OpenRequest, open_request

if TYPE_CHECKING:
    from ser_stream.daemon.serve.compute_loop import Told
    from ser_stream.daemon.serve.senders import Senders

OPEN_WAIT_S = 5.0
"""Seconds for `open` to come, after the token where one is needed."""


class Sender(Subscriber):
    """Opens one stream, sends its audio, is told its events.

    As a subscriber it may be slow: predictions are dropped, and told; see `DropQueue`.
    """

    LINGERS = frozenset({"protocol", "idle", "too_long", "shutdown", "failed"})
    CHECKS = CHECKS

    def __init__(
        self,
        transport: Transport,
        senders: "Senders",
        *,
        authorized: bool = False,
        operator: bool = False,
    ) -> None:
        """Meet a client; an `operator` may ask for `status` also where others may not.

        The others are as for a `Subscriber`.
        """
        super().__init__(transport, senders, authorized=authorized)
        self._senders = senders
        self.operator = operator
        self._wire = transport
        self._open: OpenRequest | None = None
        self._stream: ClientStream | None = None
        self._limits = senders.limits
        """Those that held when its stream was opened."""
        self._reason = "end"
        self._said = ""
        self._watch: asyncio.TimerHandle | None = None
        self._last_audio = 0.0
        self._begun = 0.0
        self._ended = False
        self._progress = (0, 0)

    # Coming and going.

    def _greet(self) -> None:
        # It has come in; it is told `hello` when it has said what it sends.
        self._wait_for_open()

    def _wait_for_open(self) -> None:
        self._watch = later(OPEN_WAIT_S, self._no_open)

    def on_disconnect(self) -> None:
        self._cancel_watch()
        if self._stream is not None:
            self._senders.forget(self._stream, self._why())
            self._stream = None
        super().on_disconnect()

    def _why(self) -> str:
        """The reason of `bye`, if that was said."""
        return "slow_subscriber" if self._queue.given_up else self._said or VANISHED

    def _cancel_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _no_open(self) -> None:
        text = f"no open came within {OPEN_WAIT_S:g} s; say what you send first"
        self._refuse(None, "no_open", text)
        self.finish("protocol")

    @property
    def authorized(self) -> bool:
        """Whether it has shown the token, or needs none."""
        return self._authorized

    @property
    def opened(self) -> bool:
        """Whether audio is taken, or was."""
        return self._open is not None

    @property
    def full(self) -> bool:
        """Whether no more audio should be read now."""
        if self.ending or self._stream is None:
            return False
        return self._stream.incoming.full

    def finish(self, reason: str) -> None:
        """As for a subscriber; a stream that goes on is ended in order first."""
        if self.ending:
            return
        stream = self._stream
        if stream is not None and reason in ("shutdown", "idle", "too_long"):
            self._reason = reason
            stream.closing = True
            stream.incoming.end(discard=True)
            self._senders.wake(stream)
            return
        self._bid_bye(reason)

    def _bid_bye(self, reason: str) -> None:
        self._said = self._said or reason
        super().finish(reason)

    # What it says.

    def _is_wrong(self, error: RequestError) -> None:
        # What follows may be audio, and is not understood either.
        self.refuse(error.code, error.text, error.id)

    def refuse(self, code: str, text: str, id: object = None) -> None:
        if self._stream is not None:
            self._senders.forget(self._stream, "protocol")
        super().refuse(code, text, id)

    def _refuse(self, id: object, code: str, text: str) -> None:
        self._senders.tally.refused[code] += 1
        super()._refuse(id, code, text)

    def _carry_out(self, request: Request) -> None:
        if request.type == "open":
            self.open(open_request(request.fields, request.id))
        elif request.type == "end":
            self.end_audio()
        elif request.type == "control":
            self._answer_status(request)
        else:
            super()._carry_out(request)

    def _answer_status(self, request: Request) -> None:
        if self.opened:
            text = "status is asked for in place of open, on a connection of its own"
            raise RequestError("refused", text, request.id)
        self.tell(reply(request.id, self._senders.status(self.kind)))
        self._bid_bye("end")

    def open(self, request: OpenRequest) -> None:
        """Begin the stream.

        Raises:
            RequestError: if it has begun, or there are as many as there may be.
        """
        if self.opened:
            raise RequestError(
                "refused", "one stream for each connection; this one is open"
            )
        stream = self._senders.open_stream(self, request)
        self._open, self._stream = request, stream
        self._limits = self._senders.limits
        self._begun = self._last_audio = time.monotonic()
        self._ended = False
        self._cancel_watch()
        if request.id is not None:
            self.tell(reply(request.id, {}))
        if request.lost_s:
            stream.moved(request.lost_s)
        messages = stream.fetch()
        self._senders.publish(stream, messages)
        for message in messages:
            self.tell(message)
        self._look()

    def audio(self, data: bytes) -> None:
        """Take bytes of audio."""
        if self.ending or self._stream is None or not data:
            return
        self._last_audio = time.monotonic()
        self._stream.incoming.put(data)
        self._senders.wake(self._stream)

    def lose(self, count: int) -> None:
        """So many bytes of audio came for which there is no room: they are a gap."""
        if not self.ending and self._stream is not None:
            self._last_audio = time.monotonic()
            self._stream.incoming.lose(count)

    def take_more(self) -> None:
        """There may be room for audio again, though nothing was computed."""
        if not self.ending:
            self._wire.more()

    def end_audio(self) -> None:
        """No more will come; the rest is told, then `bye`."""
        if self.ending:
            return
        if self._stream is None:
            self._bid_bye("end")
            return
        self._ended = True
        self._stream.incoming.end()
        self._senders.wake(self._stream)

    # What it is told.

    def told(self, told: "Told") -> None:
        """What came of the audio; with the last of it, `bye`."""
        stream, request = self._stream, self._open
        if stream is None or request is None or self.ending:
            return
        only = request.only
        for message in told.messages:
            if only is None or message.type in only or message.type not in EVENTS:
                self.tell(message)
        if told.failed:
            self._bid_bye("failed")
        elif told.failure is not None:
            self.refuse("bad_audio", told.failure)
        elif told.over:
            self._over(self._reason)
        else:
            self._follow_reader(stream)
            self._wire.more()

    def _over(self, reason: str) -> None:
        """The last event of the stream is told."""
        self._bid_bye(reason)

    def resume(self) -> None:
        super().resume()
        if self._stream is not None:
            self._follow_reader(self._stream)

    def _follow_reader(self, stream: ClientStream) -> None:
        behind = self.behind > MOST_BEHIND // (2 if stream.held else 1)
        if stream.held and not behind:
            stream.held = False
            self._senders.wake(stream)
        stream.held = behind

    # How long it may take.

    def _look(self) -> None:
        """End it when its time is over; else look again when that may be."""
        stream, limits = self._stream, self._limits
        if stream is None or self.ending:
            return
        now = time.monotonic()
        before, self._progress = self._progress, self.progress()
        left = self._begun + limits.max_s - now if limits.max_s else math.inf
        quiet_for = self._last_audio + limits.idle_s - now
        if left <= 0:
            self.finish("too_long")
        elif quiet_for > 0:
            self._watch = later(min(left, quiet_for), self._look)
        elif stream.held and self._progress == before:
            self.finish("slow_subscriber")
        elif stream.held or stream.incoming.full or self._ended:
            # It reads what it is told, or it is we who are slow.
            self._watch = later(min(left, limits.idle_s), self._look)
        else:
            self.finish("idle")
