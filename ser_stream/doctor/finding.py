"""What a check says."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """It works, but not as well as it could, or not for ever."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line about one thing, and what to do about it."""

    check: str
    """What was looked at: a word or two."""
    level: Level
    text: str
    fix: str = ""
    """A command or an instruction; empty where all is well."""


def mend(check: str, error: object, otherwise: str) -> Finding:
    """What an error says, which after its first `;` often tells what to do."""
    what, _, how = str(error).partition("; ")
    return fail(check, what, how or otherwise)


def ok(check: str, text: str) -> Finding:
    return Finding(check, Level.OK, text)


def warn(check: str, text: str, fix: str) -> Finding:
    return Finding(check, Level.WARN, text, fix)


def fail(check: str, text: str, fix: str) -> Finding:
    return Finding(check, Level.FAIL, text, fix)
