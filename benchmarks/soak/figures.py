"""Pictures of the page: latency, processor by subscribers, memory over time."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from training.engine.plotting import empty, panels, save

Result = dict[str, Any]
WIDTH, HEIGHT = 4.5, 3.0
MEMORY = ("load", "fast", "realtime", "hostile")
FONT = 9


def draw(results: dict[str, Result], folder: Path) -> None:
    """Write `load.png` and `memory.png`; a panel of what was not run says so."""
    load = results.get("load")
    figure, ((left, right),) = panels(1, 2, WIDTH, HEIGHT)
    if load and "rounds" in load:
        _latency(left, load)
        _processor(right, load)
    else:
        empty(left, "latency")
        empty(right, "CPU by subscribers")
    save(figure, folder / "load.png")
    figure, grid = panels(2, 2, WIDTH, HEIGHT)
    for axes, name in zip([a for row in grid for a in row], MEMORY, strict=True):
        if "memory" in results.get(name, {}):
            _memory(axes, name, results[name])
        else:
            empty(axes, name)
    save(figure, folder / "memory.png")


def _latency(axes: Axes, load: Result) -> None:
    kinds = {"line_ms": "end of the audio to receipt", "delivery_ms": "delivery alone"}
    for kind, label in kinds.items():
        both = [one["found"]["times"][kind]["histogram"] for one in load["rounds"]]
        seen = np.cumsum(np.sum(both, axis=0))
        shares = 100 * seen / seen[-1]
        axes.plot(range(1, len(shares) + 1), shares, drawstyle="steps", label=label)
    axes.axvline(50, color="grey", linestyle=":")
    axes.set_title("latency of lines, both rounds", fontsize=FONT)
    axes.set(xlabel="ms", ylabel="% of lines within", xlim=(0, 100), ylim=(0, 101))
    axes.legend(fontsize=8, loc="lower right")


def _processor(axes: Axes, load: Result) -> None:
    stages = load["cpu_by_subscribers"]
    numbers = [stage["subscribers"] for stage in stages]
    axes.plot(numbers, [stage["cpu_percent"] for stage in stages], marker="o")
    axes.set_title("CPU of the daemon, all of it", fontsize=FONT)
    axes.set(xlabel="subscribers", ylabel="% of a core", xscale="log", ylim=(0, None))
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()


def _memory(axes: Axes, name: str, result: Result) -> None:
    memory = result["memory"]
    minutes = [s / 60 for s in memory["seconds"]]
    axes.plot(minutes, memory["rss_mb"])
    if "warm_up_s" in result:
        axes.axvline(result["warm_up_s"] / 60, color="grey", linestyle=":")
    axes.set_title(f"resident memory, {name}", fontsize=FONT)
    axes.set(xlabel="minutes", ylabel="MB", ylim=(0, 1.2 * max(memory["rss_mb"])))
