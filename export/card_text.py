"""Pieces that all sections of a card are written from."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.bootstrap import percent

NONE = "-"
"""What was not measured, or cannot be."""
CRUDE = "† fewer than five speakers: the interval is crude.\n"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(said, row)) + " |\n" for row in lines)


def said(value: object) -> str:
    """A value in a table; a dash for None."""
    return NONE if value is None else str(value)


GROUP_HEAD = (
    "",
    "clips",
    "speakers",
    "UAR % (95 %)",
    "WAR % (95 %)",
    "ECE, if perfect",
    "steps with a label %",
    "right of them %",
)


def group_row(name: str, row: Mapping[str, Any]) -> list[Any]:
    """A group of clips under `GROUP_HEAD`, from `metrics.summary`."""
    steps = row["steps"]
    return [
        name,
        row["n"],
        row["n_speakers"],
        percent(row),
        percent(row, "WAR"),
        f"{said(row['ECE'])}, {said(row['ECE_perfect'])}",
        steps.get("coverage"),
        steps.get("WAR_when_certain"),
    ]


def footnote(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the dagger means, where one was set."""
    crude = any("†" in percent(row) for row in rows)
    return f"\n{CRUDE}" if crude else ""
