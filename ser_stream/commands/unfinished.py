"""Commands that leave something behind: without it, a signal ended them too early.

Imports nothing: it must be there before anything else is loaded.
"""

from collections.abc import Sequence

STATUS = 130
"""That of `StoppedError`."""
MESSAGE = "stopped before it was done"
_LEAVE = (("enroll",), ("teach",), ("plot",), ("adapt", "folder"))
_begun = False


def begin() -> None:
    """From here on the command itself tells what a signal means."""
    global _begun
    _begun = True


def is_unfinished(arguments: Sequence[str]) -> bool:
    """Whether a signal came before a command, given by its arguments, began its work.

    Only of a command that is to leave something: elsewhere a signal is a good end.
    """
    if _begun:
        return False
    if arguments[:1] == ["recognize"]:
        return any(a.partition("=")[0] == "--out" for a in arguments)
    return any(tuple(arguments[: len(words)]) == words for words in _LEAVE)
