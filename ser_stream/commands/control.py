"""`ser-stream status`, `pause`, `resume`, `reload`: what the daemon is asked."""

from collections.abc import Mapping
from typing import Any

from ser_stream.client import control, serve_status
from ser_stream.commands.adapt_text import counts
from ser_stream.commands.output import aligned, write, write_json
from ser_stream.commands.serve_text import serve_text
from ser_stream.commands.status_rows import brokers_row, heard_text, latency_text, span
from ser_stream.errors import ConfigError


def command(
    do: str, socket: str | None, as_json: bool, source: str | None = None
) -> dict[str, Any]:
    """Have something done, and print what came of it, which is returned.

    Args:
        do: the command.
        socket: the daemon's; for `status` also an address of `ser-stream serve`.
        as_json: whether for machines.
        source: which, of a daemon that hears several; None for all.

    Raises:
        ConfigError: if the address is none for that.
        NotRunningError: if no daemon answers.
        RefusedError: if it refuses, with its reason.
    """
    if do == "status" and socket is not None and _is_other_than_unix(socket):
        if source is not None:
            raise ConfigError(
                f"{socket}: serve tells of no stream alone; leave --source out"
            )
        answer = serve_status(socket)
    else:
        answer = control(do, socket, source=source)
    if as_json:
        write_json(answer)
    else:
        write(_TEXTS.get(do, lambda _: f"{do}: done")(answer) + "\n")
    return answer


def _is_other_than_unix(socket: str) -> bool:
    kind, colon, _ = socket.partition(":")
    return bool(colon) and kind != "unix"


def _paused(answer: Mapping[str, Any]) -> str:
    over = "also" if answer.get("remembered") else "but not"
    if sources := answer.get("sources"):
        return f"paused: {', '.join(sources)}, released, {over} after a restart"
    return f"paused: the microphone is released, {over} after a restart"


def _resumed(answer: Mapping[str, Any]) -> str:
    if sources := answer.get("sources"):
        return f"resumed: {', '.join(sources)}, taken again"
    return "resumed: the microphone is taken again"


def _reloaded(answer: Mapping[str, Any]) -> str:
    changed = ", ".join(answer["changed"]) or "no setting"
    text = f"reloaded: model {answer['model']}, changed: {changed}"
    if answer["needs_restart"]:
        text += f"; only a restart brings: {', '.join(answer['needs_restart'])}"
    return text


def _status(answer: Mapping[str, Any]) -> str:
    if "streams" in answer:
        return serve_text(answer)
    audio, latency = answer["audio"], answer["latency_ms"]
    detail = f" ({audio['detail']})" if audio["detail"] else ""
    subscribers = answer["subscribers"]
    model = answer["model"]
    adapted = ", adapted" if model["adapted"] else ""
    who = ", ".join(f"{n} {kind}" for kind, n in subscribers.items() if n) or "none"
    rows = {
        "audio": f"{audio['state']}{detail}",
        "device": audio["device"],
        "model": f"{model['name']}{adapted} ({model['sha256'][:12]})",
        **_adaptation(answer["adaptation"]),
        "heard": heard_text(audio),
        "steps": f"{answer['steps']}, skipped {answer['skipped']}",
        "emotions": str(answer["emotions"]),
        "latency": latency_text(latency),
        "subscribers": who,
        **brokers_row(answer.get("brokers") or ()),
        "memory": f"{answer['rss_mb']} MB",
        "running": f"{span(answer['uptime_s'])}, pid {answer['pid']}, version "
        f"{answer['version']}",
        "settings": answer["config"] or "no file",
    }
    lines = [f"{name:<12}{value}" for name, value in rows.items()]
    sources = answer.get("sources", [])
    if len(sources) > 1:
        lines += ["", *aligned([_HEAD, *map(_source, sources)])]
    if more := answer.get("more_sources", 0):
        lines.append(f"and {more} more; ask for one: --source NAME")
    return "\n".join(lines)


_HEAD = ("source", "audio", "heard", "lost", "skipped", "emotions", "device")


def _source(one: Mapping[str, Any]) -> tuple[str, ...]:
    audio = one["audio"]
    detail = f" ({audio['detail']})" if audio["detail"] else ""
    return (
        one["name"],
        audio["state"],
        span(audio["heard_s"]),
        f"{audio['lost_s']:g} s",
        str(one["skipped"]),
        str(one["emotions"]),
        f"{audio['device']}{detail}",
    )


def _adaptation(answer: Mapping[str, Any] | None) -> dict[str, str]:
    if answer is None:
        return {}
    return {"adaptation": f"{answer['state']}; {counts(answer['rounds'])}"}


_TEXTS = {
    "status": _status,
    "pause": _paused,
    "resume": _resumed,
    "reload": _reloaded,
}
