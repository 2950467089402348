"""The figures behind a verdict of adaptation, as a short table."""

from collections.abc import Mapping
from typing import Any

_PAIRS = {
    "canary_uar": "canary recall",
    "canary_ece": "canary calibration error",
    "reservoir_confidence": "confidence on the recent speech",
    "reservoir_entropy": "entropy on the recent speech",
}
_SINGLE = {
    "agreement": "windows that keep their label",
    "parameter_change": "parameters moved by",
}


def evidence_text(evidence: Mapping[str, Any]) -> str:
    """Rows of what a round measured, before and after; empty if that is nothing."""
    rows = []
    for key, name in _PAIRS.items():
        before, after = evidence.get(f"{key}_before"), evidence.get(f"{key}_after")
        if before is not None and after is not None:
            rows.append(f"{name:<32}{_percent(before)}{_percent(after)}")
    if rows:
        rows.insert(0, f"{'':<32}{'before':>10}{'after':>10}")
    for key, name in _SINGLE.items():
        if (value := evidence.get(key)) is not None:
            rows.append(f"{name:<42}{_percent(value)}")
    return "\n".join(rows)


def _percent(share: float) -> str:
    return f"{100 * share:8.1f} %"
