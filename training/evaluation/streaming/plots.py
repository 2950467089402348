"""`stream-eval.json` -> pictures; nothing is measured here."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from training.engine.plotting import panels, save

Result = dict[str, Any]


def draw(result: Result, out: Path) -> list[Path]:
    """Draw what has been measured; return the files."""
    makers = {
        "levels.png": _levels,
        "noise.png": _noise,
        "early.png": _early,
        "changes.png": _changes,
        "calibration.png": _calibration,
    }
    return [out / name for name, make in makers.items() if make(result, out / name)]


def _having(result: Result, section: str) -> dict[str, Any]:
    return {
        name: group[section]
        for name, group in result["groups"].items()
        if section in group
    }


def _levels(result: Result, path: Path) -> bool:
    groups = _having(result, "levels")
    if not groups:
        return False
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        points = {int(k.split()[0]): c["UAR"] for k, c in found["conditions"].items()}
        points[0] = found["clean"]["UAR"]
        axes.plot(*zip(*sorted(points.items()), strict=True), marker="o", label=name)
    _finish(axes, "gain, dB (clipped at full scale)", "UAR, percent")
    save(figure, path)
    return True


def _noise(result: Result, path: Path) -> bool:
    groups = _having(result, "noise")
    if not groups:
        return False
    figure, (row,) = panels(1, len(groups), 4.2, 3.8)
    for axes, (name, found) in zip(row, groups.items(), strict=True):
        for family, of in found.items():
            points = {int(k.split()[0]): c["UAR"] for k, c in of["conditions"].items()}
            style = "-o" if of["seen_in_training"] else "--s"
            label = family + (" (in training)" if of["seen_in_training"] else "")
            axes.plot(*zip(*sorted(points.items()), strict=True), style, label=label)
            axes.axhline(of["clean"]["UAR"], color="black", linewidth=0.8)
        axes.set_title(name, fontsize=9)
        axes.invert_xaxis()
        _finish(axes, "SNR, dB (line: clean)", "UAR, percent")
    save(figure, path)
    return True


def _early(result: Result, path: Path) -> bool:
    groups = _having(result, "early")
    if not groups:
        return False
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        seconds = [point["seconds"] for point in found["curve"]]
        axes.plot(seconds, [point["UAR"] for point in found["curve"]], label=name)
        axes.axhline(found["chance"], color="black", linewidth=0.8, linestyle=":")
    _finish(axes, "speech heard, s (dotted: chance)", "UAR, percent")
    save(figure, path)
    return True


def _changes(result: Result, path: Path) -> bool:
    groups = {n: f for n, f in _having(result, "changes").items() if f["changes"]}
    if not groups:
        return False
    figure, ((axes,),) = panels(1, 1, 5.5, 3.6)
    for name, found in groups.items():
        times = found["delays_s"]
        shares = [100 * i / found["changes"] for i in range(1, len(times) + 1)]
        axes.step([0, *times], [0, *shares], where="post", label=name)
    axes.axhline(50, color="black", linewidth=0.8)
    axes.set_xlim(0, 8)
    _finish(axes, "seconds from the change to the event", "changes told, percent")
    save(figure, path)
    return True


def _calibration(result: Result, path: Path) -> bool:
    groups = _having(result, "calibration")
    if not groups:
        return False
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
    save(figure, path)
    return True


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if y.endswith("percent"):
        axes.set_ylim(0, 100)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=7)
