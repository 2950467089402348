"""`ser-stream adapt ...`: a daemon that adapts is asked, or what it has stored."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.adaptation.versions.store import read_store
from ser_stream.client import NotRunningError, RefusedError, control
from ser_stream.commands.adapt_stored import Stored
from ser_stream.commands.adapt_text import TEXTS, verdict_text
from ser_stream.commands.output import write, write_json
from ser_stream.commands.progress import share_bar
from ser_stream.errors import ConfigError, SerStreamError

LOOK_EVERY_S = 0.5
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whose:
    socket: str | None = None
    """The daemon's control socket; if given, only that daemon is asked."""
    config: Path | None = None
    model: str | None = None
    """None for any that a daemon adapts, or else the one that is configured."""

    @property
    def stored(self) -> Stored:
        return Stored.find(self.config, self.model)


def command(do: str, whose: Whose, as_json: bool) -> None:
    """Have something done, by the daemon or to what it has left, and print the result.

    Raises:
        NotRunningError: if no daemon answers and nothing is stored, or a socket was
            named; if a daemon works on what is stored.
        RefusedError: if the daemon refuses, with its reason, or does not adapt, and
            nothing is stored.
        SerStreamError: if it cannot be done without one.
    """
    answer = _ask(do, whose)
    if do == "adapt.history" and answer["older"]:
        answer = _whole_history(whose, answer)
    _print(answer, as_json, TEXTS.get(do, lambda answer: f"{do}: done"))


def _whole_history(whose: Whose, answer: Answer) -> Answer:
    """With the older entries from where they are stored, if we may read that."""
    about = control("adapt.status", whose.socket)
    try:
        state = read_store(Path(about["folder"]))
    except ConfigError:
        return answer
    # Else it sees other folders than we do, as in a container.
    if state is None or state.base != about["base"]["sha256"]:
        return answer
    first = answer["entries"][0]["number"] if answer["entries"] else math.inf
    older = [entry.to_dict() for entry in state.history if entry.number < first]
    return {"entries": [*older, *answer["entries"]], "older": 0}


def now(whose: Whose, wait: bool, as_json: bool) -> bool:
    """Begin a round, and perhaps wait for its verdict.

    Returns:
        False if the verdict was waited for, and is not `accepted`.

    Raises:
        NotRunningError: if no daemon answers.
        RefusedError: if it refuses, with its reason.
    """
    answer = _ask("adapt.now", whose)
    if not wait:
        _print(answer, as_json, TEXTS["adapt.now"])
        return True
    verdict = _follow(whose.socket, answer["round"])
    _print(verdict, as_json, verdict_text)
    return bool(verdict["phase"] == "accepted")


def _ask(do: str, whose: Whose) -> Answer:
    """What the daemon answers, or what it has left where none can."""
    try:
        if whose.model is not None:
            _require_model(whose)
        return control(do, whose.socket)
    except NotRunningError as error:
        if whose.socket is not None:
            raise
        why: SerStreamError = error
    except RefusedError as error:
        # One that does not adapt knows nothing of what another one has learnt.
        if whose.socket is not None or control("status")["adaptation"] is not None:
            raise
        why = error
    return whose.stored.carry_out(do, why)


def _require_model(whose: Whose) -> None:
    wanted = whose.stored.bundle
    base = control("adapt.status", whose.socket)["base"]
    if base["sha256"] != wanted.sha256:
        raise NotRunningError(
            f"the daemon adapts model {base['name']} ({base['sha256'][:12]}), not "
            f"{wanted.name} ({wanted.sha256[:12]})"
        )


def _print(answer: Answer, as_json: bool, text: Callable[[Answer], str]) -> None:
    if as_json:
        write_json(answer)
    else:
        write(text(answer) + "\n")


def _follow(socket: str | None, number: int) -> Answer:
    """Wait for the end of a round; its entry in the history."""
    with share_bar(100, f"round {number}") as show:
        while True:
            running = control("adapt.status", socket)["round"]
            if running is None or running["number"] != number:
                break
            show(100 * running["progress"])
            time.sleep(LOOK_EVERY_S)
    # Not just the last one: by now there may have been another round.
    entries: list[Answer] = control("adapt.history", socket)["entries"]
    for entry in entries:
        if entry["number"] == number:
            return entry
    raise SerStreamError(
        f"round {number} ended without a verdict that was kept; the daemon's log says "
        "why"
    )
