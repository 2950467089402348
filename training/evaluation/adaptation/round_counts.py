"""What became of rounds, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

PHASES = ("accepted", "rejected", "failed", "rolled_back")


def verdicts(history: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rounds there were of each kind.

    A round that led to nothing because its worker crashed, was killed or had too little
    to learn from is stored as rejected, but was never measured: `failed`.
    """
    counts = Counter(
        "failed"
        if entry["phase"] == "rejected" and not entry.get("evidence")
        else entry["phase"]
        for entry in history
    )
    return {phase: counts[phase] for phase in PHASES}
