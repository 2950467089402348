"""Addresses are read as users write them, and what is wrong with one is said."""

import pytest

from ser_stream.errors import ConfigError
from ser_stream.protocol.address import Address, parse


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("stdout:", Address("stdout")),
        ("unix:///run/a b.sock", Address("unix", path="/run/a b.sock")),
        ("tcp://127.0.0.1:8765", Address("tcp", host="127.0.0.1", port=8765)),
        ("tcp://localhost:0", Address("tcp", host="localhost", port=0)),
        ("tcp://[::1]:65535", Address("tcp", host="::1", port=65535)),
        ("ws://pi.local:80", Address("ws", host="pi.local", port=80)),
    ],
)
def test_an_address_is_read_and_written_back(uri: str, address: Address) -> None:
    assert parse(uri) == address
    assert str(address) == uri


def test_the_slash_that_browsers_add_is_taken() -> None:
    assert parse("ws://localhost:8765/") == parse("ws://localhost:8765")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "allowed are stdout:, unix:///PATH"),
        ("stdout", "allowed are stdout:"),
        ("stdout://", "allowed are stdout:"),
        ("http://127.0.0.1:80", "allowed are stdout:"),
        ("/run/a.sock", "allowed are stdout:"),
        ("wss://example.org:443", "TLS is not spoken here"),
        ("unix:", "unix:// and an absolute path"),
        ("unix:/run/a.sock", "unix:// and an absolute path"),
        ("unix://run/a.sock", "unix:// and an absolute path"),
        ("unix:///run/", "unix:// and an absolute path"),
        ("unix:///run/a\0b", "unix:// and an absolute path"),
        ("tcp://", "tcp://HOST:PORT"),
        ("tcp:127.0.0.1:80", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "tcp://HOST:PORT"),
        ("tcp://:8765", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:http", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:-1", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:80/path", "tcp://HOST:PORT"),
        ("tcp://me@127.0.0.1:80", "tcp://HOST:PORT"),
        ("tcp://::1:80", "tcp://[::1]:8765"),
        ("tcp://[127.0.0.1]:80", "tcp://HOST:PORT"),
        ("ws://127.0.0.1:80/events", "ws://HOST:PORT"),
        ("tcp://127.0.0.1:65536", "port 65536 is over 65535"),
    ],
)
def test_a_wrong_address_is_told_what_is_allowed(uri: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(uri)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_too_long_for_a_socket_is_told_the_limit() -> None:
    assert parse(f"unix:///{'x' * 106}").path
    with pytest.raises(ConfigError, match=r"has 108 bytes, .* may have 107"):
        # Bytes count, not characters.
        parse(f"unix:///{'ä' * 53}x")


@pytest.mark.parametrize(
    ("uri", "loopback"),
    [
        ("unix:///run/a.sock", True),
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.8.0.1:1", True),
        ("tcp://[::1]:1", True),
        ("ws://localhost:1", True),
        ("ws://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://192.168.0.7:1", False),
        ("tcp://localhost.example.org:1", False),
    ],
)
def test_it_is_known_from_where_an_address_is_reached(uri: str, loopback: bool) -> None:
    assert parse(uri).loopback is loopback
