"""The readable output of `ser-stream adapt ...`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ser_stream.adaptation.settings import EXPECT
from ser_stream.commands.evidence import evidence_text

Fields = Mapping[str, Any]


def _status(answer: Fields) -> str:
    detail = f": {answer['detail']}" if answer["detail"] else ""
    which = "adapted" if answer["adapted"] else "as it came"
    rows = {
        "adaptation": answer["state"] + detail,
        "model": f"{answer['base']['name']}, {which} ({answer['bundle'][:12]})",
        "rounds": counts(answer["rounds"]),
        "last": "nothing yet" if answer["last"] is None else _entry(answer["last"]),
        "frozen": "yes" if answer["frozen"] else "no",
    }
    if "reservoir" in answer:
        rows |= _live_rows(answer)
    rows["expect"] = EXPECT
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


def counts(rounds: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {_words(phase)}" for phase, n in rounds.items())


def _words(phase: str) -> str:
    return phase.replace("_", " ")


def _entry(entry: Fields) -> str:
    return f"{_words(entry['phase'])} {_when(entry)}: {entry['reason']}"


def _when(entry: Fields) -> str:
    return str(entry["time"])[:16].replace("T", " ")


def _history(answer: Fields) -> str:
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
        lines.append(
            f"{answer['older']} older ones are shown to users who may read the "
            "daemon's folder, which adapt status names."
        )
    return "\n".join(lines)


def _began(answer: Fields) -> str:
    return (
        f"round {answer['round']} has begun, with {answer['windows']} windows of "
        "speech; ser-stream adapt status tells how far it is"
    )


def verdict_text(entry: Fields) -> str:
    figures = evidence_text(entry["evidence"])
    return f"{_words(entry['phase'])}: {entry['reason']}" + (
        f"\n\n{figures}" if figures else ""
    )


def _went_back(entry: Fields) -> str:
    return f"{_words(entry['phase'])}: active is {(entry['bundle'] or '-')[:12]}"


TEXTS: dict[str, Callable[[Fields], str]] = {
    "adapt.status": _status,
    "adapt.history": _history,
    "adapt.now": _began,
    "adapt.freeze": lambda answer: "frozen: the active version stays",
    "adapt.unfreeze": lambda answer: "not frozen: it learns again",
    "adapt.rollback": _went_back,
    "adapt.reset": _went_back,
}
