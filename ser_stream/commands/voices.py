"""`ser-stream speakers name`, `merge`, `keep`, `forget N`: who a daemon tells apart."""

import logging
from collections.abc import Mapping
from typing import Any

from ser_stream.adaptation.voice_file import erase, read_voices
from ser_stream.client import control
from ser_stream.client.errors import NotRunningError, RefusedError
from ser_stream.commands.output import write, write_json
from ser_stream.errors import SerStreamError

_LOGGER = logging.getLogger(__name__)


def change(
    do: str,
    socket: str | None,
    as_json: bool,
    *,
    source: str | None = None,
    **fields: str,
) -> None:
    """Have a daemon do it, and print whom it tells apart then.

    Raises:
        NotRunningError: if no daemon answers.
        RefusedError: if it refuses, with its reason.
    """
    said = fields if source is None else {**fields, "source": source}
    answer = control(f"speakers.{do}", socket, None, **said)
    if as_json:
        write_json(answer)
    else:
        write("\n".join(rows(answer) or ["nobody is told apart yet"]) + "\n")


def live(socket: str | None, source: str | None = None) -> dict[str, Any] | None:
    """Whom a daemon tells apart; None where none runs that does."""
    try:
        if source is None:
            return control("speakers.live", socket)
        return control("speakers.live", socket, source=source)
    except NotRunningError:
        return None
    except RefusedError as error:
        if "source" in str(error):
            _LOGGER.warning("%s", error)
        return None
    except SerStreamError as error:
        _LOGGER.warning("the running daemon does not tell whom it hears: %s", error)
        return None


def rows(answer: Mapping[str, Any]) -> list[str]:
    """A line for each speaker that a daemon tells apart."""
    return [
        f"  speaker {one['speaker']}"
        + (f" ({one['name']})" if one["name"] else "")
        + f": {one['seconds']:g} s"
        + (
            ", not heard yet"
            if one["heard_s_ago"] is None
            else f", heard {one['heard_s_ago']:g} s ago"
        )
        + (", kept" if one["kept"] else "")
        + (", speaks now" if one["speaker"] == answer["now"] else "")
        for one in answer["speakers"]
    ]


def kept_names() -> list[str]:
    """Who is kept, daemon or not."""
    return [voice.name for voice in read_voices()]


def forget_kept(name: str, socket: str | None) -> bool:
    """Forget a kept voice, in a running daemon too; whether there was one.

    Raises:
        SinkError: if it cannot be deleted.
    """
    there = erase(name)
    try:
        control("speakers.forget", socket, speaker=name)
    except SerStreamError:
        return there  # None runs, or it does not know them.
    return True
