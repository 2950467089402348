"""What `ser-stream status` says of a `listen` and of a `serve` alike."""

from collections.abc import Mapping, Sequence
from typing import Any


def heard_text(audio: Mapping[str, Any]) -> str:
    return (
        f"{span(audio['heard_s'])}, lost {audio['lost_s']:g} s in {audio['gaps']} "
        f"gaps, {audio['overflows']} of them overflows"
    )


def latency_text(latency: Mapping[str, float] | None) -> str:
    if latency is None:
        return "no step yet"
    return f"{latency['p50']} ms median, {latency['p99']} ms 99th percentile"


def brokers_row(links: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The row `brokers`, if there are any."""
    said = [
        f"{link['address']} {link['detail'] or 'connected'}, {link['sent']} sent, "
        f"{link['dropped']} dropped"
        for link in links
    ]
    return {"brokers": "; ".join(said)} if said else {}


def span(seconds: float) -> str:
    """`1 days 2:03:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f"{hours}:{minutes:02}:{rest:02}"
    return f"{days} days {clock}" if days else clock
