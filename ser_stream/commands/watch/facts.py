"""What there is to say of the daemon: device, model, losses, subscribers."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from ser_stream.commands.watch.state import WatchState
from ser_stream.protocol.text import printable


def device(state: WatchState) -> str:
    if state.hello is None:
        return "no daemon yet"
    audio, source = state.hello["audio"], state.hello.get("source")
    name = f"{source}, " if source else ""
    return printable(name + (audio["device"] or audio["source"]))


def model(state: WatchState) -> str:
    """The model, its licence, and whether it was adapted."""
    if state.hello is None:
        return ""
    said = state.hello["model"]
    adapted = ", adapted" if said["adapted"] else ""
    return printable(f"model {said['name']}{adapted}, licence {said['licence']}")


def losses(state: WatchState) -> str:
    """What was lost: of the daemon where it tells, else since this view began."""
    told = _audio(state.figures)
    if told is None:
        text = f"overflows {state.overflows} since this view began"
    else:
        text = f"lost {told['lost_s']:g} s in {told['gaps']} gaps"
    return text + (f", {state.dropped} steps not shown" if state.dropped else "")


def subscribers(state: WatchState) -> str:
    """How many listen; only a Unix socket tells."""
    kinds = (state.figures or {}).get("subscribers")
    if not isinstance(kinds, Mapping):
        return "subscribers not told here"
    who = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    return f"subscribers {who or 'none'}"


def step(state: WatchState) -> str:
    """How near the voice is to the training's, and how late the last step was."""
    if state.step is None:
        return ""
    near = state.step.get("familiarity")
    familiar = "" if near is None else f"familiarity {near:.2f}, "
    return f"{familiar}latency {state.step['latency_ms']:g} ms"


def all_of(state: WatchState) -> list[Text]:
    rows = [subscribers(state), losses(state), step(state)]
    return [Text(row, style="dim") for row in rows if row]


def _audio(figures: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    audio = (figures or {}).get("audio")
    if isinstance(audio, Mapping) and {"lost_s", "gaps"} <= audio.keys():
        return audio
    return None
