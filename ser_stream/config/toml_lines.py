"""On which line of a TOML file each key stands; the standard library does not tell."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

Place = tuple[tuple[str, ...], int]
"""A key with the tables around it, and its line, counted from 1."""

_TOKEN = re.compile(
    r'(?P<skip>"""(?:\\.|[^\\])*?"""(?:"{0,2})(?!")'
    r"|'''.*?'''(?:'{0,2})(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*)"
    r"|(?P<end>\n)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<equals>=)",
    re.DOTALL,
)


def places(text: str) -> list[Place]:
    """Keys and headers of tables, in order; of text that is no TOML, what is found."""
    found: list[Place] = []
    table: tuple[str, ...] = ()
    for statement, position in _statements(text):
        header = re.fullmatch(r"\s*\[\[?([^\n]*?)\]\]?\s*", statement)
        path = _path(header[1] if header else statement)
        if not path:
            continue
        if header:
            table = path
        line = text.count("\n", 0, position) + 1
        found.append((path if header else table + path, line))
    return found


def _statements(text: str) -> Iterator[tuple[str, int]]:
    """Each header or key, without its value, and the position of its first letter."""
    start = depth = 0
    equals = None
    for token in [*_TOKEN.finditer(text), None]:
        kind = token.lastgroup if token else "end"
        position = token.start() if token else len(text)
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "equals" and equals is None:
            equals = position
        elif (kind == "end" and depth == 0) or token is None:
            statement = text[start : position if equals is None else equals]
            code = re.sub(r"#[^\n]*$", "", statement) if equals is None else statement
            if code.strip():
                yield code, start + len(code) - len(code.lstrip())
            start, equals = position + 1, None


def _path(key: str) -> tuple[str, ...]:
    """A key as it is written, `a."b c"`, in its parts; empty if it is none."""
    value: Any
    try:
        value = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        path.append(name)
    return tuple(path)
