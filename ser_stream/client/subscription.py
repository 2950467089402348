"""What is said to a daemon, and when to give it up; without a socket or a clock.

`ser_stream.client.stream` and `ser_stream.client.aio` do the waiting.
"""

import logging
import os
from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from ser_stream.client.errors import AccessError, RefusedError, UnreachableError
from ser_stream.client.lines import as_message, decode, encode
from ser_stream.client.messages import EVENT_TYPES, Bye, Hello, Message
from ser_stream.client.past import Past
from ser_stream.client.retry import Backoff
from ser_stream.client.where import addresses
from ser_stream.errors import ConfigError
from ser_stream.protocol.access_token import VARIABLE
from ser_stream.protocol.address import Address

_LOGGER = logging.getLogger("ser_stream.client")
PING_AFTER = 10.0
"""Seconds without a line until the daemon is asked whether it lives."""
PONG_WITHIN = 5.0
"""Seconds for its answer."""
TIMEOUT = 10.0
"""Seconds for one attempt to connect, and then for `hello`."""
_ID = "ser_stream.client"


class Options(TypedDict, total=False):
    """What may be asked of a daemon; `connect` explains it."""

    only: str | Iterable[str] | None
    source: str | Iterable[str] | None
    token: str | None
    reconnect: bool
    timeout: float
    history: float | None


class Subscription:
    """One subscriber's wishes, over all the connections that it takes."""

    def __init__(self, uri: str | None, **options: Unpack[Options]) -> None:
        self._addresses = addresses(uri)
        self._only = _checked(options.get("only"))
        self._token = options.get("token") or os.environ.get(VARIABLE)
        self._reconnect = options.get("reconnect", True)
        self.timeout = options.get("timeout", TIMEOUT)
        self._sources = _named(options.get("source"))
        self.hello: Hello | None = None
        self.hellos: dict[str, Hello] = {}
        self._past = Past(options.get("history"))
        self._backoff = Backoff()
        self._tried = 0
        self._greeted = self._pinged = self._lost = False
        self._bye: Bye | None = None
        self._first_error: UnreachableError | None = None

    @property
    def address(self) -> Address:
        return self._addresses[self._tried]

    @property
    def over(self) -> bool:
        """Whether the daemon said `bye`."""
        return self._bye is not None

    def begin(self) -> list[bytes]:
        """A connection was opened: what is sent on it first."""
        self._greeted = self._pinged = False
        lines = []
        if self._token and self.address.kind != "unix":
            lines.append(encode({"type": "auth", "token": self._token}))
        if self._only is not None or self._sources is not None:
            asked: dict[str, Any] = {"type": "subscribe", "id": _ID}
            asked["only"] = None if self._only is None else list(self._only)
            if self._sources is not None:
                asked["sources"] = list(self._sources)
            lines.append(encode(asked))
        if self._past.seconds is not None:
            last_s = self._past.seconds
            lines.append(encode({"type": "history", "id": _ID, "last_s": last_s}))
        self._past.begin()
        return lines

    def line_timeout(self) -> float:
        """Seconds to wait for the next line; then call `nothing_came`.

        Raises:
            UnreachableError: if the daemon said `bye`, and no line will come.
        """
        if self._bye is not None:
            raise UnreachableError(f"{self.address} said bye: {self._bye['reason']}")
        if not self._greeted:
            return self.timeout
        return PONG_WITHIN if self._pinged else PING_AFTER

    def nothing_came(self) -> bytes:
        """What to send to a daemon that has been silent.

        Raises:
            UnreachableError: if it has been asked already, or never said `hello`.
        """
        if not self._greeted:
            raise UnreachableError(
                f"{self.address} took the connection, but did not say hello within "
                f"{self.timeout:g} s"
            )
        if self._pinged:
            raise UnreachableError(f"{self.address} does not answer any more")
        self._pinged = True
        return encode({"type": "ping", "id": _ID})

    def receive(self, line: bytes) -> Message | None:
        """One line of the daemon; None if it is not for the user.

        Raises:
            ProtocolError: if it is no line of protocol 1.
            RefusedError: if it refuses what was asked for.
            UnreachableError: if it has too many subscribers.
        """
        self._pinged = False
        fields = decode(line)
        if fields["type"] == "reply":
            raise_refusal(fields, self.address, _ID)
        message = as_message(fields)
        if message is None or not self._is_of_wanted(message):
            return None
        if message["type"] == "hello":
            self._take_hello(message)
        elif message["type"] == "bye":
            self._take_bye(message)
        wanted = self._greeted and self._is_wanted(message)
        return message if wanted and self._past.passes(message) else None

    def _is_wanted(self, message: Message) -> bool:
        # Until the daemon has read what was asked for, it sends everything.
        kind = message["type"]
        return self._only is None or kind not in EVENT_TYPES or kind in self._only

    def _is_of_wanted(self, message: Message) -> bool:
        if self._sources is None or message["type"] == "bye":
            return True
        source = message.get("source")
        if source is None and message["type"] == "hello":
            raise RefusedError(
                f"{self.address} hears one source, and that has no name; leave source "
                "out",
                "refused",
            )
        return source in self._sources

    def _take_hello(self, hello: Hello) -> None:
        if not self._greeted:
            # Another daemon may hear others.
            self.hellos.clear()
        self.hello, self._greeted = hello, True
        self.hellos[hello.get("source", "")] = hello
        self._backoff.reset()
        if self._lost:
            _LOGGER.info("connected to %s again", self.address)
        self._lost = False

    def _take_bye(self, bye: Bye) -> None:
        self._bye = bye
        if bye["reason"] == "slow_subscriber":
            _LOGGER.warning("%s gave up on us: we read too slowly", self.address)

    def failed(self, error: Exception) -> float | None:
        """A connection failed or ended: what next.

        Returns:
            Seconds until the next attempt; None for the end.

        Raises:
            SerStreamError: `error` itself, if no other attempt is to be made.
        """
        if not isinstance(error, UnreachableError):
            raise error
        if not self._greeted and self._tried + 1 < len(self._addresses):
            self._tried, self._first_error = self._tried + 1, error
            return 0.0
        if self._tried and not self._greeted and self._first_error is not None:
            # The place to start a daemon at is the first.
            error = self._first_error
        if not self._reconnect:
            if self._greeted and self._bye is not None:
                return None
            raise error
        self._say_lost(error)
        self._tried, self._greeted, self._bye = 0, False, None
        return self._backoff.next()

    def _say_lost(self, error: Exception) -> None:
        if not self._lost:
            # After a proper end nothing is wrong: it may be restarting.
            level = logging.WARNING if self._bye is None else logging.INFO
            _LOGGER.log(level, "%s; trying again until it is there", error)
            self._lost = True


class Described:
    """What a stream tells of the daemon behind it."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    @property
    def hello(self) -> Hello:
        """The last `hello`; there is none before it was entered or iterated."""
        assert self._subscription.hello is not None, "not connected yet"
        return self._subscription.hello

    @property
    def hellos(self) -> dict[str, Hello]:
        """The last `hello` of each source so far, by its name; of one, by ""."""
        return dict(self._subscription.hellos)

    @property
    def address(self) -> Address:
        """Where it is, or is looked for now."""
        return self._subscription.address

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows."""
        return tuple(self.hello["model"]["labels"])


def _checked(only: str | Iterable[str] | None) -> frozenset[str] | None:
    if only is None:
        return None
    wanted = frozenset([only] if isinstance(only, str) else only)
    if unknown := wanted - set(EVENT_TYPES):
        raise ConfigError(
            f"there are no events {', '.join(sorted(unknown))}; allowed: "
            f"{', '.join(EVENT_TYPES)}"
        )
    return wanted


def _named(source: str | Iterable[str] | None) -> frozenset[str] | None:
    if source is None:
        return None
    return frozenset([source] if isinstance(source, str) else source)


def raise_refusal(reply: dict[str, Any], address: Address, id: object) -> None:
    """Raise what a daemon says no to: to the request of this id, or to all of us."""
    if reply.get("ok") is not False:
        return
    error = reply.get("error")
    error = error if isinstance(error, dict) else {}
    code, text = str(error.get("code")), f"{address}: {error.get('text')}"
    if code == "wrong_token":
        raise AccessError(f"{text}; SER_STREAM_TOKEN may hold it", code)
    if code == "forbidden":
        raise AccessError(text, code)
    if code == "no_open":
        raise RefusedError(
            f"{address} takes audio, and tells only those who send some; send it by "
            "`ser-stream send`, or subscribe to a `ser-stream listen`",
            code,
        )
    if code == "too_many":
        raise UnreachableError(text)
    if reply.get("id") == id:
        raise RefusedError(text, code)
