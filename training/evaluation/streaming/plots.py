"""`stream-eval.json` -> pictures; nothing is measured here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.engine.plotting import panels, save

Result = dict[str, Any]
Groups = Mapping[str, Any]
"""What one section found, by the name of the group."""


def draw(result: Result, out: Path) -> list[Path]:
    """Draw what has been measured; return the files."""
    makers = {
        "levels": _levels,
        "noise": _noise,
        "early": _early,
        "changes": _changes,
        "calibration": _calibration,
    }
    drawn = []
    # A group too small for a change has none to draw.
    for section, make in makers.items():
        found = {
            name: group[section]
            for name, group in result["groups"].items()
            if section in group and group[section].get("changes") != 0
        }
        if found:
            drawn.append(out / f"{section}.png")
            save(make(found), drawn[-1])
    return drawn


def _levels(groups: Groups) -> Figure:
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        axes.plot(*_by_decibel(found, {0: found["clean"]}), marker="o", label=name)
    _finish(axes, "gain, dB (clipped at full scale)", "UAR, percent")
    return figure


def _noise(groups: Groups) -> Figure:
    figure, (row,) = panels(1, len(groups), 4.2, 3.8)
    for axes, (name, found) in zip(row, groups.items(), strict=True):
        for family, of in found.items():
            style = "-o" if of["seen_in_training"] else "--s"
            label = family + (" (in training)" if of["seen_in_training"] else "")
            axes.plot(*_by_decibel(of, {}), style, label=label)
            axes.axhline(of["clean"]["UAR"], color="black", linewidth=0.8)
        axes.set_title(name, fontsize=9)
        axes.invert_xaxis()
        _finish(axes, "SNR, dB (line: clean)", "UAR, percent")
    return figure


def _by_decibel(found: Result, more: Mapping[int, Result]) -> Any:
    """Decibels and UAR, of conditions such as `10 dB`."""
    conditions = {int(k.split()[0]): c for k, c in found["conditions"].items()}
    points = sorted((db, c["UAR"]) for db, c in {**conditions, **more}.items())
    return zip(*points, strict=True)


def _early(groups: Groups) -> Figure:
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        seconds = [point["seconds"] for point in found["curve"]]
        axes.plot(seconds, [point["UAR"] for point in found["curve"]], label=name)
        axes.axhline(found["chance"], color="black", linewidth=0.8, linestyle=":")
    _finish(axes, "speech heard, s (dotted: chance)", "UAR, percent")
    return figure


def _changes(groups: Groups) -> Figure:
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        times = found["delays_s"]
        shares = [100 * i / found["changes"] for i in range(1, len(times) + 1)]
        axes.step([0, *times], [0, *shares], where="post", label=name)
    axes.axhline(50, color="black", linewidth=0.8)
    axes.set_xlim(0, 8)
    _finish(axes, "seconds from the change to the event", "changes told, percent")
    return figure


def _calibration(groups: Groups) -> Figure:
    figure, (row,) = panels(1, len(groups), 3.8)
    for axes, (name, found) in zip(row, groups.items(), strict=True):
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        for unit, of in found.items():
            bins = of.get("bins", [])
            axes.plot(
                [b["confidence"] for b in bins],
                [b["accuracy"] for b in bins],
                marker="o",
                label=f"{unit}, n = {of['n']}",
            )
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        _finish(axes, "best score", "share that is right")
    return figure


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    if y.endswith("percent"):
        axes.set_ylim(0, 100)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=7)
