"""`stream-eval.json` -> a page of lines for a terminal."""

from pathlib import Path
from typing import Any

from training.engine.templates import fill


def summary(result: dict[str, Any]) -> str:
    """What was measured, group by group, with the ids and targets of the benchmark."""
    return fill(
        Path(__file__).with_name("summary.txt.j2"),
        *(_between, _number, _percent),
        protocol=result["protocol"],
        groups=result["groups"],
        alarms=result.get("false-alarms"),
    ).rstrip()


def _between(interval: list[float | None] | None) -> str:
    return f" [{', '.join(map(_number, interval))}]" if interval else ""


def _number(value: float | None, missing: str = "-", unit: str = "") -> str:
    return missing if value is None else f"{value:.2f}{unit}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
