"""Where messages go: standard output, the subscribers of sockets, and brokers.

stdout         JSON lines, or text on a terminal
sockets/       unix, TCP and WebSocket
brokers/       MQTT and NATS
command        runs a program when an emotion begins
thread_queue   keeps a slow reader of one of them from holding up the audio

A new sink is a file with `open_sink`, and a row of `KINDS`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from ser_stream.errors import SerStreamError
from ser_stream.protocol.address import FORMS, NATS, SOCKETS, WYOMING, Address, parse
from ser_stream.sinks.brokers.settings import BrokerSettings

if TYPE_CHECKING:
    from socket import socket

    from ser_stream.protocol.messages import Message
    from ser_stream.sinks.sockets.control_request import Control


class Sink(Protocol):
    """Takes messages in order."""

    error: SerStreamError | None = None
    """Why nothing is delivered any more, where the program is of no use then."""

    @property
    def closed(self) -> bool:
        """True when the reader has left."""

    def send(self, message: "Message", /) -> None:
        """Deliver one message, or queue it; never raises for a reader that left."""

    def stop_waiting(self) -> None:
        """A stop was asked for: wait for no reader; safe from a signal handler."""

    def close(self) -> None:
        """Deliver what is queued, free what was opened; a second time does nothing."""


@runtime_checkable
class Server(Sink, Protocol):
    """A sink that programs connect to: what has one is a service."""

    @property
    def addresses(self) -> "list[Address]":
        """Where it listens."""

    @property
    def subscribers(self) -> Mapping[str, int]:
        """How many there are now, by kind of connection."""

    @property
    def dropped(self) -> int:
        """Predictions that slow subscribers did not get, since the start."""


class LinkState(NamedTuple):
    """How the connection to a broker is."""

    address: str
    connected: bool
    sent: int
    """Events that the broker took, since the start."""
    dropped: int
    """Events that it did not get, being away or slow."""
    detail: str
    """Why it is not connected; empty if it is."""


@runtime_checkable
class Publisher(Sink, Protocol):
    """A sink that itself connects to brokers."""

    @property
    def links(self) -> "list[LinkState]":
        """How each of its connections is."""


class SinkOptions(NamedTuple):
    """What sinks are opened with; each takes what concerns it."""

    format: str = "auto"
    """Of standard output: `json`, `text`, or `auto` for text on a terminal."""
    live: bool = True
    """Whether audio comes by the clock, so that no reader may hold it up."""
    alone: bool = True
    """Whether the only sink; `open_sinks` finds out."""
    control: "Control | None" = None
    """Carries out what is asked on a Unix socket."""
    token: Callable[[], str | None] = lambda: None
    """What subscribers over a network must know; asked for by what serves sockets."""
    origins: Sequence[str] = ()
    """Pages besides our own that may open a WebSocket."""
    max_subscribers: int = 2000
    broker: BrokerSettings = BrokerSettings()
    """Of brokers: who we are there, and what Home Assistant is told."""
    password: Callable[[], str | None] = lambda: None
    """What brokers must be shown."""
    trust_network: bool = False
    """Whether other machines may reach what knows no token, which is Wyoming."""
    inherited: "Sequence[socket]" = ()
    """Sockets that listen already, from systemd."""


class Kind(NamedTuple):
    form: str
    """As users write it; see `protocol.address.parse`."""
    module: str
    """Its `open_sink(addresses, options)` opens one sink for all addresses given."""


_SERVER = "ser_stream.sinks.sockets.server"
_MQTT = "ser_stream.sinks.brokers.mqtt"
_BY_NATS = "ser_stream.sinks.brokers.nats"
KINDS = {
    "stdout": Kind(FORMS["stdout"], "ser_stream.sinks.stdout"),
    **{kind: Kind(form, _SERVER) for kind, form in (SOCKETS | WYOMING).items()},
    "mqtt": Kind("mqtt://HOST[:PORT]/PREFIX", _MQTT),
    "mqtts": Kind("mqtts://HOST[:PORT]/PREFIX", _MQTT),
    **{kind: Kind(form, _BY_NATS) for kind, form in NATS.items()},
}
"""Every sink that an address can name, by the address's scheme."""


def forms() -> dict[str, str]:
    """What the addresses of sinks look like, by scheme."""
    return {name: kind.form for name, kind in KINDS.items()}


def is_server(kind: str) -> bool:
    """Whether programs connect to addresses of this scheme."""
    return KINDS[kind].module == _SERVER


def one_way_forms() -> dict[str, str]:
    """The same of outputs that nobody connects to, which take events of any stream."""
    return {name: form for name, form in forms().items() if not is_server(name)}


def open_sinks(uris: Sequence[str], options: SinkOptions) -> list[Sink]:
    """Open all sinks that these addresses name, or none.

    Args:
        uris: as `listen --to` has them.
        options: for all of them.

    Raises:
        SinkError: if one cannot be used; the message names what to do.
        ConfigError: if an address is none, or the token cannot be read.
        MissingLibraryError: if one needs a library that is not installed.
    """
    alone = options.alone and len(uris) == 1 and not options.inherited
    options = options._replace(alone=alone)
    # In the order of the table; each module is imported where it is needed.
    found: dict[str, list[Address]] = {kind.module: [] for kind in KINDS.values()}
    for address in (parse(uri, forms()) for uri in uris):
        found[KINDS[address.kind].module].append(address)
    with ExitStack() as stack:
        sinks = list[Sink]()
        for module, addresses in found.items():
            if addresses or (options.inherited and module == _SERVER):
                sinks.append(import_module(module).open_sink(addresses, options))
                stack.callback(sinks[-1].close)
        stack.pop_all()
    return sinks
