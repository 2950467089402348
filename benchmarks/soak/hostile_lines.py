"""Lines that no honest subscriber writes, and how the protocol answers each kind."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

MAX_BAD_LINES = 10
"""After so many lines that are no JSON object the daemon says `bye`."""
WRONG_TYPES: tuple[object, ...] = (
    {},
    {"type": 5},
    {"type": None, "id": 1},
    {"type": ["subscribe"]},
    {"type": {"type": "ping"}},
    {"type": "subscribe", "only": "emotion"},
    {"type": "subscribe", "only": {"emotion": 1}},
    {"type": "subscribe", "only": [["emotion"]]},
    {"type": "subscribe", "only": ["shoe"], "id": 2},
    {"type": "ping", "id": {}},
    {"type": "ping", "id": True},
    {"type": "ping", "id": "x" * 5000},
    {"type": "ping", "id": 10**300},
    {"type": "control"},
    {"type": "control", "do": 7},
    {"type": "control", "do": "rm -rf /", "id": 3},
    {"type": "control", "do": ["status"]},
    {"type": "auth", "token": 5},
    {"type": "auth"},
    {"type": "teapot", "id": "short and stout"},
    {"type": "\ud800"},
    {"type": "a" * 10_000},
)
NO_OBJECTS = (
    b"",
    b"null",
    b"7",
    b'"hello"',
    b"[]",
    b"NaN",
    b'{"type":"ping","id":NaN}',
    b'{"type":"ping","id":' + b"1" * 9000 + b"}",
    b"{'type':'ping'}",
    b'{"type":"ping"',
    b'{"type":"ping"}}',
    b"\xef\xbb\xbf{}",
    b"GET / HTTP/1.1",
)


@dataclass(frozen=True, slots=True)
class Attack:
    """What one connection writes, and what must come of it."""

    data: bytes
    lines: int
    """That it counts for."""
    answers: int
    """`reply` or `pong` lines that must come."""
    closed: bool = False
    """Whether the daemon must end the connection, with a `bye`."""
    slow: bool = False
    """Whether it is written byte by byte."""


def _deep(chance: random.Random) -> Attack:
    opening, n = chance.choice([(b"[", 16_000), (b'{"a":', 3000), (b'[{"a":', 2500)])
    return _bad([opening * n] * MAX_BAD_LINES)


def _bad(lines: list[bytes]) -> Attack:
    data = b"".join(line + b"\n" for line in lines)
    return Attack(data, len(lines), len(lines), closed=True)


def _huge(chance: random.Random) -> Attack:
    # Over 16 KiB already without its end.
    length = chance.choice([16 * 1024, 100_000, 1_000_000])
    return Attack(b'{"type":"' + b"x" * length, 1, 1, closed=True)


def _binary(chance: random.Random) -> Attack:
    lines = [chance.randbytes(chance.randrange(1, 2000)) for _ in range(MAX_BAD_LINES)]
    # The first byte is no UTF-8, so that none of them is JSON by chance.
    return _bad([b"\xff" + line.replace(b"\n", b"\0") for line in lines])


def _no_object(chance: random.Random) -> Attack:
    return _bad(chance.choices(NO_OBJECTS, k=MAX_BAD_LINES))


def _wrong(chance: random.Random) -> Attack:
    values = chance.choices(WRONG_TYPES, k=50)
    data = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return Attack(data, len(values), len(values))


def _half(chance: random.Random) -> Attack:
    line = b'{"type":"ping","id":"' + b"x" * 40 + b'"}'
    return Attack(line[: chance.randrange(1, len(line))], 1, 0)


def _slow(chance: random.Random) -> Attack:
    return Attack(b'{"type":"ping","id":%d}\n' % chance.randrange(10), 1, 1, slow=True)


KINDS: dict[str, Callable[[random.Random], Attack]] = {
    "huge": _huge,
    "binary": _binary,
    "deep": _deep,
    "no object": _no_object,
    "wrong types": _wrong,
    "half": _half,
    "byte by byte": _slow,
}
