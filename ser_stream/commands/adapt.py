"""`ser-stream adapt ...`: a daemon that adapts is asked, or what it has stored."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_stream.adaptation.history import State
from ser_stream.adaptation.store import adaptation_folder, read_store
from ser_stream.bundle import Bundle
from ser_stream.client import NotRunningError, control
from ser_stream.commands.evidence import evidence_text
from ser_stream.commands.output import write
from ser_stream.commands.progress import clear_bar, share_bar
from ser_stream.config import resolve
from ser_stream.config.for_model import configured_bundle
from ser_stream.errors import SerStreamError
from ser_stream.paths import user_path

PATIENCE_S = 60.0
"""Seconds for an answer; going back loads a model."""
LOOK_EVERY_S = 0.5
Fields = Mapping[str, Any]


def status(socket: str | None, config: Path | None, as_json: bool) -> None:
    """Print how adaptation is.

    Raises:
        NotRunningError: if no daemon answers and nothing is stored, or a socket was
            named.
        RefusedError: if the daemon does not adapt.
    """
    try:
        answer = control("adapt.status", socket)
    except NotRunningError:
        if socket is not None:
            raise
        bundle, folder, state = _stored(config)
        answer = _stopped(bundle, folder, state)
    _print(answer, as_json, _status_text)


def history(socket: str | None, config: Path | None, as_json: bool) -> None:
    """Print the verdicts so far; raises as `status` does."""
    try:
        answer = control("adapt.history", socket)
    except NotRunningError:
        if socket is not None:
            raise
        _, _, state = _stored(config)
        entries = [entry.to_dict() for entry in state.history]
        answer = {"entries": entries, "older": 0}
    _print(answer, as_json, _history_text)


def now(socket: str | None, wait: bool, as_json: bool) -> bool:
    """Begin a round, and perhaps wait for its verdict.

    Returns:
        False if the verdict was waited for, and is not `accepted`.

    Raises:
        NotRunningError: if no daemon answers.
        RefusedError: if it refuses, with its reason.
    """
    answer = control("adapt.now", socket, timeout=PATIENCE_S)
    if not wait:
        _print(answer, as_json, _began)
        return True
    verdict = _follow(socket, answer["round"])
    _print(verdict, as_json, _verdict_text)
    return bool(verdict["phase"] == "accepted")


def command(do: str, socket: str | None, as_json: bool) -> None:
    """Have something done, and print what came of it; raises as `now` does."""
    _print(control(do, socket, timeout=PATIENCE_S), as_json, _DONE[do])


def _print(answer: dict[str, Any], as_json: bool, text: Any) -> None:
    said = json.dumps(answer, ensure_ascii=False) if as_json else text(answer)
    write(said + "\n")


def _stored(config: Path | None) -> tuple[Bundle, Path, State]:
    settings = resolve(config, {})
    bundle = configured_bundle(settings)
    given = settings.config.adapt.state
    folder = adaptation_folder(bundle, None if given is None else user_path(given))
    state = read_store(folder)
    if state is None:
        raise NotRunningError(
            f"no daemon runs, and nothing was learnt for model {bundle.name} yet; "
            "start one: ser-stream listen --adapt"
        )
    return bundle, folder, state


def _stopped(bundle: Bundle, folder: Path, state: State) -> dict[str, Any]:
    """The fields of a running daemon's answer that are known without one."""
    phases = Counter(entry.phase for entry in state.history)
    return {
        "state": "stopped",
        "detail": "no daemon runs; this is what one has left",
        "base": {"name": bundle.name, "sha256": bundle.sha256},
        "bundle": state.in_force,
        "adapted": bool(state.versions),
        "frozen": state.frozen,
        "rounds": {p: phases[p] for p in ("accepted", "rejected", "rolled_back")},
        "last": state.history[-1].to_dict() if state.history else None,
        "folder": str(folder),
    }


def _follow(socket: str | None, number: int) -> dict[str, Any]:
    """Wait for the end of a round; its entry in the history."""
    with share_bar(100, f"round {number}") as bar:
        shown = 0
        while True:
            answer = control("adapt.status", socket)
            running = answer["round"]
            if running is None or running["number"] != number:
                break
            done = int(100 * running["progress"])
            bar.update(max(0, done - shown))
            shown = max(shown, done)
            time.sleep(LOOK_EVERY_S)
    clear_bar()
    last: dict[str, Any] | None = answer["last"]
    if last is None or last["number"] < number:
        raise SerStreamError(
            f"round {number} ended without a verdict; the daemon's log says why"
        )
    return last


def _status_text(answer: Fields) -> str:
    detail = f": {answer['detail']}" if answer["detail"] else ""
    which = "adapted" if answer["adapted"] else "as it came"
    rows = {
        "adaptation": answer["state"] + detail,
        "model": f"{answer['base']['name']}, {which} ({answer['bundle'][:12]})",
        "rounds": _counts(answer["rounds"]),
        "last": "nothing yet" if answer["last"] is None else _entry(answer["last"]),
        "frozen": "yes" if answer["frozen"] else "no",
    }
    if answer["state"] != "stopped":
        rows |= _live_rows(answer)
    rows["kept in"] = answer["folder"]
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def _live_rows(answer: Fields) -> dict[str, str]:
    kept = answer["reservoir"]
    shares = ", ".join(f"{k} {100 * v:.0f} %" for k, v in kept["shares"].items())
    rows = {
        "speech": f"{kept['windows']} of {kept['capacity']} windows kept"
        + (f": {shares}" if kept["windows"] else ""),
        "new speech": f"{answer['new_speech_s']:.0f} of the {answer['every_s']:.0f} s "
        "that a round waits for",
    }
    if answer["round"] is not None:
        running = answer["round"]
        rows["round"] = (
            f"number {running['number']}, {100 * running['progress']:.0f} % after "
            f"{running['elapsed_s']:.0f} s"
        )
    if answer["watch"] is not None:
        figures = answer["watch"].items()
        rows["watch"] = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in figures)
    return rows


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {_words(phase)}" for phase, n in counts.items())


def _words(phase: str) -> str:
    return phase.replace("_", " ")


def _entry(entry: Fields) -> str:
    return f"{_words(entry['phase'])} {_when(entry)}: {entry['reason']}"


def _when(entry: Fields) -> str:
    return str(entry["time"])[:16].replace("T", " ")


def _history_text(answer: Fields) -> str:
    entries: Sequence[Fields] = answer["entries"]
    if not entries:
        return "There was no round yet."
    lines = [f"{'':>5}  {'time (UTC)':<16}  {'verdict':<12}{'bundle':<14}reason"]
    lines += [
        f"{e['number']:>5}  {_when(e):<16}  {_words(e['phase']):<12}"
        f"{(e['bundle'] or '-')[:12]:<14}{e['reason']}"
        for e in entries
    ]
    if answer["older"]:
        lines.append(f"{answer['older']} older ones are shown where no daemon runs.")
    return "\n".join(lines)


def _began(answer: Fields) -> str:
    return (
        f"round {answer['round']} has begun, with {answer['windows']} windows of "
        "speech; ser-stream adapt status tells how far it is"
    )


def _verdict_text(entry: Fields) -> str:
    figures = evidence_text(entry["evidence"])
    return f"{_words(entry['phase'])}: {entry['reason']}" + (
        f"\n\n{figures}" if figures else ""
    )


def _went_back(entry: Fields) -> str:
    return f"{_words(entry['phase'])}: in force is {(entry['bundle'] or '-')[:12]}"


_DONE = {
    "adapt.freeze": lambda answer: "frozen: the version in force stays",
    "adapt.unfreeze": lambda answer: "not frozen: it learns again",
    "adapt.rollback": _went_back,
    "adapt.reset": _went_back,
}
