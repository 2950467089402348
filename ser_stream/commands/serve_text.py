"""What `ser-stream status` says of a `ser-stream serve`."""

from collections.abc import Mapping
from typing import Any

from ser_stream.commands.status_rows import brokers_row, heard_text, latency_text, span


def serve_text(answer: Mapping[str, Any]) -> str:
    streams, model, busy = answer["streams"], answer["model"], answer["busy"]
    clients, running = sum(answer["clients"].values()), span(answer["uptime_s"])
    if pid := answer.get("pid"):
        running += f", pid {pid}"
    away = [uri for uri, there in answer["inputs"].items() if not there]
    rows = {
        "streams": f"{_counts(streams['open'])}, of at most {streams['most']}",
        "clients": f"{clients} connected, this one among them",
        "trouble": answer["audio"]["detail"],
        "opened": f"{streams['opened']}, ended: {_counts(streams['ended'])}",
        "refused": _counts(streams["refused"]),
        "model": f"{model['name']} ({model['sha256'][:12]})",
        "heard": heard_text(answer["audio"]),
        "steps": f"{answer['steps']}, dropped for slow clients {answer['dropped']}",
        "emotions": str(answer["emotions"]),
        "latency": latency_text(answer["latency_ms"]),
        "busy": f"{busy['realtime']:.0%} for live audio, {busy['fast']:.0%} for "
        "recordings, of the last minute",
        "away": ", ".join(away),
        **brokers_row(answer["brokers"]),
        "memory": f"{answer['rss_mb']} MB",
        "running": f"{running}, version {answer['version']}",
    }
    if "config" in answer:
        rows["settings"] = answer["config"] or "no file"
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items() if value)


def _counts(counts: Mapping[str, int]) -> str:
    """`3 tcp, 1 ws`, or none."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "none"
