"""One subscriber, whatever it is connected by: what it is told, and what it may ask.

Everything here runs in the thread of the server's loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ser_stream.protocol.messages import Message, bye, pong, refusal, reply
from ser_stream.protocol.requests import (
    EVENTS,
    MAX_NAME,
    Checks,
    Request,
    RequestError,
    parse_request,
)
from ser_stream.sinks.sockets.control_request import answer_control
from ser_stream.sinks.sockets.drop_queue import DropQueue
from ser_stream.sinks.sockets.history import Past
from ser_stream.sinks.sockets.replay import Replay
from ser_stream.sinks.sockets.transport import Transport

if TYPE_CHECKING:
    from ser_stream.sinks.sockets.subscribers import Subscribers

AUTH_WAIT = 5.0
"""Seconds for the token to come."""
GRACE = 2.0
"""Seconds for the last lines to be taken; then the connection is cut."""
MAX_BAD_LINES = 10


class Subscriber:
    """Is told messages in order, as far as it takes them; answers requests."""

    LINGERS = frozenset({"protocol"})
    """Reasons of `bye` at which the other side may still be sending."""
    CHECKS: Checks | None = None
    """Types of requests that are allowed; None for those of subscribers."""

    def __init__(
        self,
        transport: Transport,
        subscribers: "Subscribers",
        *,
        authorized: bool = False,
    ) -> None:
        self._transport = transport
        self._subscribers = subscribers
        self._queue = DropQueue()
        self._replay = Replay(self)
        self._only: frozenset[str] | None = None
        self._wanted: frozenset[str] | None = None
        """Sources that it subscribed to; None for all."""
        self._greeted: set[str] = set()
        """Sources of which it was told `hello`."""
        self._bad_lines = 0
        self._written = 0
        self._timer: asyncio.TimerHandle | None = None
        self._linger = False
        self.kind = transport.kind
        self.ending = False
        """True when the last line is written or queued; requests are ignored then."""
        self.busy = False
        """True while a request is carried out; the next must wait."""
        self._authorized = (
            authorized or subscribers.token is None or transport.kind == "unix"
        )

    # Coming and going.

    def begin(self) -> None:
        if self._authorized:
            self._join(None)
        else:
            self._subscribers.await_auth(self)
            self._timer = later(AUTH_WAIT, self._no_token)

    def _join(self, id: object) -> None:
        if not self._subscribers.join(self):
            self._refuse(id, "too_many", self._subscribers.no_room_for(self))
            self.finish("protocol")
            return
        if id is not None:
            self.tell(reply(id, {}))
        self._greet()

    def on_disconnect(self) -> None:
        self.ending = True
        self._queue = DropQueue()
        self._replay.cancel()
        self._cancel_timer()
        self._subscribers.leave(self)

    def finish(self, reason: str) -> None:
        """Say `bye`, and close when it was taken, or soon anyway."""
        if self.ending:
            return
        self._linger = reason in self.LINGERS
        if self.must_wait:
            self._queue.close(bye(reason))
        else:
            self._write(bye(reason))
        self._end()

    def cut_short(self) -> None:
        """Others take its place, at once: no token came, and nothing waits for it."""
        text = "too many wait without a token; send auth as soon as you connect"
        self._refuse(None, "too_many", text)
        self.tell(bye("protocol"))
        self.ending = True
        self._transport.abort()

    def _end(self) -> None:
        self.ending = True
        self._wait_for_the_last(None)
        if not self._queue:
            self._transport.end(linger=self._linger)

    def _wait_for_the_last(self, before: tuple[int, int] | None) -> None:
        now = self.progress()
        if now == before or (before and not self._subscribers.may_wait):
            self._transport.abort()
        else:
            self._cancel_timer()
            self._timer = later(GRACE, partial(self._wait_for_the_last, now))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _greet(self) -> None:
        for source in self._subscribers.sources:
            if source not in self._greeted and self._wants(source):
                self._greeted.add(source)
                for message in self._subscribers.greeting(source):
                    self.tell(message)
        self._replay.begin()

    def _wants(self, source: str) -> bool:
        return self._wanted is None or source in self._wanted

    # What it is told.

    def deliver(self, message: Message) -> None:
        """Send it a published message, if it subscribed to that."""
        type = message.type
        if type == "bye":
            self.finish(str(message.fields["reason"]))
        elif message.source not in self._greeted:
            if type == "snapshot":
                self._greet()
        elif type == "snapshot" or not self._wants(message.source):
            # That is how things stood when the stream began; or not asked for.
            return
        elif self._only is None or type in self._only or type not in EVENTS:
            self.tell(message)

    def tell(self, message: Message) -> None:
        """Send it a message, whatever it subscribed to, behind what waits."""
        if self.ending:
            return
        if not self.must_wait:
            self._write(message)
            return
        self._subscribers.dropped += self._queue.put(message)
        self._subscribers.watch(self)
        if self._queue.given_up:
            self._end()

    @property
    def must_wait(self) -> bool:
        """Whether something goes before what is told now."""
        return bool(self._queue) or self._replay.active or self.blocked

    @property
    def blocked(self) -> bool:
        return self._transport.blocked

    @property
    def sources(self) -> list[str]:
        """Those it is told of; empty before the start."""
        return [name for name in self._subscribers.sources if self._wants(name)]

    def past(self, seconds: float) -> Past:
        """Of what it subscribed to."""
        return self._subscribers.history.last(seconds, self._only, self._wanted)

    def _write(self, message: Message) -> None:
        self.write_line(message.line)

    def write_line(self, line: bytes) -> None:
        self._written += 1
        self._transport.write(line)

    def resume(self) -> None:
        if not self._replay.advance():
            return
        while not self._transport.blocked:
            message = self._queue.get()
            if message is None:
                break
            self._write(message)
        self._subscribers.watch(self)
        if self.ending and not self._queue:
            self._transport.end(linger=self._linger)
        self._replay.begin()

    @property
    def behind(self) -> int:
        return 0 if self.ending else len(self._queue)

    def progress(self) -> tuple[int, int]:
        """Changes when the other side takes something."""
        return self._written, self._transport.unsent()

    # What it asks.

    def receive(self, line: bytes) -> None:
        if self.ending:
            return
        if not self._authorized:
            self._check_token(line)
            return
        try:
            self._carry_out(parse_request(line, self.CHECKS))
        except RequestError as error:
            self._is_wrong(error)

    def _is_wrong(self, error: RequestError) -> None:
        self._refuse(error.id, error.code, error.text)
        self._bad_lines += error.code == "bad_json"
        if self._bad_lines >= MAX_BAD_LINES:
            self.finish("protocol")

    def receive_too_long(self) -> None:
        self.refuse("bad_json", "a line may have 16 KiB")

    def refuse(self, code: str, text: str, id: object = None) -> None:
        """Say what was wrong, and end: what follows is not understood either."""
        self._refuse(id, code, text)
        self.finish("protocol")

    def greeting(self) -> Sequence[Message]:
        """What one that joins now is told first; nothing before a stream has begun."""
        sources = self._subscribers.sources
        return self._subscribers.greeting(sources[0]) if sources else []

    def _refuse(self, id: object, code: str, text: str) -> None:
        self.tell(refusal(id, code, text))

    def _carry_out(self, request: Request) -> None:
        if request.type == "ping":
            self.tell(pong(request.id))
        elif request.type == "control":
            self._begin_control(request)
        elif request.type == "history":
            self._replay.ask(request)
        elif request.type == "health":
            self.tell(reply(request.id, self._subscribers.health()))
        else:
            if request.type == "subscribe":
                self._subscribe(request)
            if request.id is not None:
                self.tell(reply(request.id, {}))

    def _subscribe(self, request: Request) -> None:
        only, wanted = request.fields.get("only"), request.fields.get("sources")
        if wanted is not None and (there := self._subscribers.sources):
            self._check_sources(wanted, there, request)
        self._only = None if only is None else frozenset(only)
        self._wanted = None if wanted is None else frozenset(wanted)
        if self._wanted is not None:
            self._greeted &= self._wanted
        # What it did not want before is new to it.
        self._greet()

    @staticmethod
    def _check_sources(
        wanted: Sequence[str], there: Sequence[str], request: Request
    ) -> None:
        unknown = [name for name in wanted if name not in there or not name]
        if not unknown:
            return
        text = f"there is no source {unknown[0][:MAX_NAME]!r}; there are: "
        text += ", ".join(there)
        if there == [""]:
            text = "there is but one source, and it has no name; leave sources out"
        raise RequestError("refused", text, request.id)

    def _check_token(self, line: bytes) -> None:
        try:
            request = parse_request(line)
        except RequestError as error:
            request = Request("", error.id)
        if request.type != "auth" or not self._subscribers.admits(
            request.fields["token"]
        ):
            text = "the first line must be auth with the right token"
            self._refuse(request.id, "wrong_token", text)
            self.finish("protocol")
            return
        self._authorized = True
        self._cancel_timer()
        self._join(request.id)

    def _no_token(self) -> None:
        text = f"no token came within {AUTH_WAIT:g} s; the first line must be auth"
        self._refuse(None, "wrong_token", text)
        self.finish("protocol")

    # Control: only where the permissions of a file decide who may connect.

    def _begin_control(self, request: Request) -> None:
        if self.kind != "unix" or self._subscribers.control is None:
            text = "control is taken on the unix socket only"
            raise RequestError("forbidden", text, request.id)
        self.busy = True
        self._subscribers.start(self._control(request))

    async def _control(self, request: Request) -> None:
        assert self._subscribers.control is not None
        try:
            self.tell(await answer_control(self._subscribers.control, request))
        finally:
            self.busy = False
            if not self.ending:
                self._transport.more()


def later(seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
    """Have it called by the loop."""
    return asyncio.get_running_loop().call_later(seconds, call)
