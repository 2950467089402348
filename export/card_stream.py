"""Sections of a card about corpora never heard, and about streams."""

from typing import Any

from export.card_text import GROUP_HEAD, footnote, group_row, said, table
from training.evaluation.bootstrap import percent

NO_BOUND = "?"


def unseen(m: dict[str, Any]) -> str:
    """Zero-shot metrics; empty where they were not measured."""
    found = m.get("unseen")
    if not found:
        return ""
    parts, every = [], []
    for name, c in found["corpora"].items():
        groups = {name: c, **c["sexes"], **c["languages"]}
        every += list(groups.values())
        recall = ", ".join(
            f"{label} {said(value)}" for label, value in c["recall"].items()
        )
        speakers = ", ".join(f"{s} {uar}" for s, uar in c["speakers"].items())
        dropped = ", ".join(f"{n} {emotion}" for emotion, n in c["dropped"].items())
        parts.append(
            f"{table(GROUP_HEAD, [group_row(n, row) for n, row in groups.items()])}\n"
            f"Recall, percent: {recall}. UAR by speaker: {speakers}. Dropped: "
            f"{dropped or 'none'}. {_yardstick(c)}\n"
        )
    return f"""
## Corpora it never heard

Protocol: {found["protocol"]}.

{"".join(f"{part}{chr(10)}" for part in parts)}{footnote(every).lstrip()}"""


def _yardstick(corpus: dict[str, Any]) -> str:
    rows = [
        f"{percent({**row, 'n_speakers': corpus['n_speakers']})} ({scaling})"
        for scaling, row in corpus.get("svm", {}).items()
    ]
    if not rows:
        return ""
    return (
        "openSMILE ComParE and a linear SVM, trained on the same clips: UAR "
        f"{', '.join(rows)}."
    )


def streams(m: dict[str, Any]) -> str:
    """What `stream-eval` measured; what it did not is a dash."""
    found = m.get("stream_eval")
    if not found:
        return ""
    groups = found["groups"]
    rows = [_of_group(name, group) for name, group in groups.items()]
    head = [
        "",
        "early decision",
        "delay of a change",
        "changes missed",
        "speech with an emotion",
        "right of it",
        "flips a minute",
        "with returns",
        "ECE of steps, less if perfect",
    ]
    return f"""
## As a stream

`python -m training stream-eval`, seed {found["seed"]}: utterances of one speaker joined
into streams with known changes, through the whole pipeline, with the thresholds above.
Early decision: UAR above chance after 1 s of speech, as a share of that after 3 s.
Delay: median, a missed change counted as infinite. The thresholds were chosen on other
streams of the same held-out speakers, which flatters delay, coverage and flips. With
returns: the emotion before a change, beginning again after a pause, counts as a flip.

{table(head, rows)}
Points of UAR lost when the sound changes (negative: gained):

{table(["", "change", "points lost"], _lost(groups))}
{_alarms(found.get("false_alarms"))}"""


def _of_group(name: str, group: dict[str, Any]) -> list[Any]:
    changes = group.get("changes", {})
    steps = group.get("calibration", {}).get("steps", {})
    delay = None
    if changes.get("changes"):
        delay = _unit(changes.get("median_delay_s"), " s") or "infinite"
    return [
        f"{name}, speakers: {group['n_speakers']}",
        _between(group.get("early"), group.get("early_interval")),
        delay,
        _share(changes.get("missed_share")),
        _share(changes.get("coverage")),
        _share(changes.get("accuracy_while_active")),
        _between(
            changes.get("flips_per_minute"), changes.get("flips_per_minute_interval")
        ),
        changes.get("flips_per_minute_with_returns"),
        steps.get("ECE_excess"),
    ]


def _lost(groups: dict[str, dict[str, Any]]) -> list[list[Any]]:
    rows = []
    for name, group in groups.items():
        kinds = {"level": group.get("lost_by_level", {})}
        kinds |= group.get("lost_in_noise", {})
        for kind, lost in kinds.items():
            if lost:
                told = ", ".join(f"{at}: {said(points)}" for at, points in lost.items())
                rows.append([name, kind, told])
    return rows


def _alarms(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    distinct = found.get("distinct") or {}
    return (
        f"False alarms: {found['alarms']} in {found['hours']:.2f} h without a voice, "
        f"{found['per_hour']:.2f} an hour, at most {found['upper_bound_per_hour']:.2f} "
        f"(95 %, Poisson); of it {said(distinct.get('recorded_minutes'))} minutes are "
        "distinct recordings, the rest loops and mixtures of them at five gains and "
        f"{said(distinct.get('synthetic_minutes'))} minutes of synthetic sound.\n"
    )


def _unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.2f}{unit}"


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.0f} %"


def _between(value: float | None, bounds: list[float | None] | None) -> str | None:
    if value is None or not bounds:
        return _unit(value, "")
    low, high = (NO_BOUND if b is None else f"{b:.2f}" for b in bounds)
    return f"{value:.2f} ({low} to {high})"
