"""Where messages go, as users write it: `unix:///PATH`, `tcp://HOST:PORT`, ..."""

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from ser_stream.errors import ConfigError

SOCKETS = {
    "unix": "unix:///PATH",
    "tcp": "tcp://HOST:PORT",
    "ws": "ws://HOST:PORT",
}
"""What a client can connect to, by kind."""
WYOMING = {"wyoming": "wyoming://HOST:PORT"}
"""What voice assistants connect to; see `ser_stream.protocol.wyoming`."""
NATS = {kind: f"{kind}://HOST[:PORT]/PREFIX" for kind in ("nats", "tls")}
"""Where a NATS server stands between clients and daemons."""
FORMS = {"stdout": "stdout:", **SOCKETS}
"""All that this protocol is spoken on; `ser_stream.sinks` may have more."""
MAX_PATH = 107
"""Bytes of a Unix socket's path; the kernel's `sun_path` holds 108 with the end."""
_PREFIX = r"[\w.-]+(/[\w.-]+)*"
_HOST_AND_PORT = r"(\[(?P<six>[^]]*)\]|(?P<host>[^:]*)):(?P<port>[0-9]{1,5})"


class Address(NamedTuple):
    """One address; `str` gives the URI back."""

    kind: str
    """`stdout`, `unix`, `tcp`, `ws`, ..."""
    path: str = ""
    """File of a Unix socket, absolute; or a broker's prefix, without slashes around."""
    host: str = ""
    """Name or number, IPv6 without brackets."""
    port: int = 0
    """0 lets the system choose; of a broker it is the usual port."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it; a name other than localhost may not."""
        try:
            return not self.host or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        if self.host and self.path:
            port = f":{self.port}" if self.port else ""
            return f"{self.kind}://{bracketed(self.host)}{port}/{self.path}"
        if self.host:
            return f"{self.kind}://{bracketed(self.host)}:{self.port}"
        return f"{self.kind}://{self.path}" if self.path else f"{self.kind}:"


def bracketed(host: str) -> str:
    """A host as it stands in a URI: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def parse(text: str, forms: Mapping[str, str] = FORMS) -> Address:
    """Read a URI.

    Args:
        text: the URI.
        forms: by kind, what it looks like: `KIND:///PATH`, `KIND://HOST:PORT`,
            `KIND://HOST[:PORT]/PREFIX` or `KIND:`.

    Raises:
        ConfigError: if it is none of these forms.
    """
    kind, colon, rest = text.partition(":")
    form = forms.get(kind, "") if colon else ""
    if form.endswith("/PATH"):
        return _parse_path(text, kind, rest)
    if form.endswith("HOST:PORT"):
        return _parse_host_and_port(text, kind, rest)
    if form.endswith("/PREFIX"):
        return _parse_broker(text, kind, rest)
    if text and text == form:
        return Address(kind)
    if kind == "wss":
        raise ConfigError(
            f"address {text}: TLS is not spoken here; let a web server in front do "
            "that, or use an SSH tunnel, and name the ws:// address behind it"
        )
    hint = (
        "; that is the page for browsers, whose daemon is at ws://HOST:PORT"
        if kind in ("http", "https")
        else ""
    )
    raise ConfigError(
        f"unknown address {text!r}; allowed are {', '.join(forms.values())}{hint}"
    )


def _parse_path(text: str, kind: str, rest: str) -> Address:
    path = rest.removeprefix("//")
    if path == rest or not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError(
            f"address {text!r}: {'a Unix socket' if kind == 'unix' else 'that'} is "
            f"{kind}:// and an absolute path, such as "
            f"{kind}:///run/ser-stream/ser-stream.sock"
        )
    length = len(os.fsencode(path))
    if kind == "unix" and length > MAX_PATH:
        raise ConfigError(
            f"address {text}: the path has {length} bytes, and a Unix socket's may "
            f"have {MAX_PATH}; choose a shorter one"
        )
    return Address(kind, path=path)


def _parse_host_and_port(text: str, kind: str, rest: str) -> Address:
    place = rest.removeprefix("//")
    if kind == "ws":
        place = place.removesuffix("/")
    found = re.fullmatch(_HOST_AND_PORT, place) if place != rest else None
    host = found and (found["six"] or found["host"])
    if found is None or not host or not _is_host(host, six=bool(found["six"])):
        raise ConfigError(
            f"address {text!r}: allowed is {kind}://HOST:PORT, such as "
            f"{kind}://127.0.0.1:8765 or {kind}://[::1]:8765"
        )
    port = int(found["port"])
    if port > 65535:
        raise ConfigError(f"address {text}: port {port} is over 65535")
    return Address(kind, host=host, port=port)


def _parse_broker(text: str, kind: str, rest: str) -> Address:
    place, _, prefix = rest.removeprefix("//").partition("/")
    if "@" in rest:
        # Not the address itself: it holds what nobody is to read.
        raise ConfigError(
            f"a {kind}:// address holds a user or a password, which command lines show "
            "to all; leave out what stands before the @, and set broker.user and "
            "broker.password_file"
        )
    if not re.search(r":\d*$", place):
        place += ":0"
    found = re.fullmatch(_HOST_AND_PORT, place) if rest.startswith("//") else None
    host = found and (found["six"] or found["host"])
    prefix = prefix.removesuffix("/")
    if (
        found is None
        or not host
        or not _is_host(host, six=bool(found["six"]))
        or not re.fullmatch(_PREFIX, prefix)
    ):
        raise ConfigError(
            f"address {text!r}: allowed is {kind}://HOST/PREFIX or "
            f"{kind}://HOST:PORT/PREFIX, such as {kind}://broker.lan/emotions/desk; a "
            "prefix has letters, digits and _ - . between its slashes"
        )
    port = int(found["port"])
    if port > 65535:
        raise ConfigError(f"address {text}: port {port} is over 65535")
    return Address(kind, host=host, port=port, path=prefix)


def _is_host(host: str, *, six: bool) -> bool:
    if six:
        try:
            return ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    return re.fullmatch(r"[\w.-]+", host) is not None


def metrics_address(
    text: str, *, trusted: bool = False, name: str = "metrics"
) -> Address:
    """Where to be read: HOST:PORT of this machine.

    Args:
        text: the address.
        trusted: whether others may reach it.
        name: of the setting.

    Raises:
        ConfigError: if it is none, or others could reach it and may not.
    """
    try:
        address = parse(f"tcp://{text}")
    except ConfigError:
        raise ConfigError(
            f"{name} is {text!r}; allowed: HOST:PORT, such as 127.0.0.1:9469"
        ) from None
    if not (address.loopback or trusted):
        raise ConfigError(
            f"{name} is {text!r}, which others could reach; allowed: an address of "
            "this machine alone, such as 127.0.0.1:9469; for others put a web server "
            "with a password in front, or add --trust-network if whoever reaches it may"
        )
    return address
