"""One thing that is checked: what was hoped for, what was measured, met or not."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    target: str
    measured: str
    met: bool
    timing: bool = False
    """Whether it depends on how fast and how busy the machine is."""


def verdict(what: str, target: str, seen: str, met: bool) -> Check:
    """A check of which there is no figure; `seen` tells what was seen."""
    return Check(what, target, seen if met else f"NOT: {seen}", met)


def holds(what: str, met: bool) -> Check:
    """A check that is a sentence."""
    return Check(what, "yes", "yes" if met else "no", met)


def total(found: Iterable[dict[str, Any]], names: str) -> int:
    """Sum of some counts over what groups of subscribers found."""
    return sum(one[name] for one in found for name in names.split())


def none_of(what: str, count: int, of: str = "") -> Check:
    """A check that something did not happen."""
    return Check(what, "none", f"{count} {of}".strip(), count == 0)


def at_most(
    what: str, limit: float, value: float, unit: str, *, timing: bool = False
) -> Check:
    """A check that a figure stays under its limit."""
    target, measured = f"<= {limit:g} {unit}".strip(), f"{value:.4g} {unit}".strip()
    return Check(what, target, measured, value <= limit, timing)


def rows(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """All of them as they are kept."""
    return [asdict(check) for check in checks]
