"""What several inputs are called: `NAME=SRC`, or a name made from the source."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ser_stream.errors import ConfigError

MAX_NAME = 64
"""Characters of a name."""
_GIVEN = re.compile(r"([\w.-]*)=(.*)", re.ASCII | re.DOTALL)
_ALLOWED = f"1 to {MAX_NAME} letters, digits, _, - and ."


def named_inputs(texts: Sequence[str]) -> Mapping[str, str]:
    """Inputs as users write them -> the sources by their names, in order.

    `desk=mic:USB` is the source `mic:USB` under the name `desk`; but what is the path
    of a file that exists is that file, whatever signs it has. A source without a name
    is called `mic`, as its microphone, `stdin`, or as its file without the ending;
    where that is taken, `-2`, `-3` and so on follow.

    Raises:
        ConfigError: if a name is none, or is there twice.
    """
    parted = [_parted(text) for text in texts]
    given = [name for name, _ in parted if name]
    for name in given:
        if given.count(name) > 1:
            raise ConfigError(f"two inputs are called {name}; give each its own name")
    if sum(source == "-" for _, source in parted) > 1:
        raise ConfigError("standard input can be one of the inputs only")
    found: dict[str, str] = {}
    for name, source in parted:
        found[name or _free(_made(source), {*given, *found})] = source
    return found


def channel_names(count: int) -> list[str]:
    """What `each` calls the channels of an input that has several."""
    if count == 2:
        return ["left", "right"]
    return [str(number) for number in range(1, count + 1)]


def _parted(text: str) -> tuple[str, str]:
    found = _GIVEN.fullmatch(text)
    if found is None or os.path.lexists(text):
        return "", text
    name, source = found.groups()
    if not 0 < len(name) <= MAX_NAME or not source:
        raise ConfigError(
            f"input {text!r}: allowed is NAME=SRC, where the name has {_ALLOWED}; or "
            "a file that exists"
        )
    return name, source


def _made(source: str) -> str:
    if source == "-":
        return "stdin"
    name = source.removeprefix("mic:") if source.startswith("mic:") else ""
    return as_name(name or PurePath(source).stem) or "input"


def as_name(text: str) -> str:
    """What of a text may be a name: up to 50 of its signs, others as `-`; or empty."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-")[:50]


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    numbers = range(2, len(taken) + 3)
    return next(f"{name}-{n}" for n in numbers if f"{name}-{n}" not in taken)
