"""The measurement: honest clients alone, then beside hostile ones, then all gone."""

import time
from typing import Any

import numpy as np

from benchmarks.serve_load.child import Child
from benchmarks.serve_load.honest import honest
from benchmarks.serve_load.hostile import hostile
from benchmarks.soak import usage
from benchmarks.soak.checks import Check, holds, none_of, rows
from benchmarks.soak.progress import wait
from tests.helpers.running_serve import RunningServe, running_serve

SETTLED_S = 120.0
"""After so long memory has to be flat."""
GROWTH = 1.05
MORE_MS = 50.0
"""By which a step may be later at the 99th of a hundred, with hostile ones beside."""


def run(
    streams: int = 200,
    of_them_hostile: int = 40,
    seconds: float = 600.0,
    alone_s: float = 60.0,
) -> dict[str, Any]:
    """So many streams for so long, after a while without the hostile ones."""
    # What hostile ones leave may still be on its way out when they come again.
    limit = streams + 2 * of_them_hostile + 8
    with running_serve("--max-streams", str(limit), "--idle-s", "10") as served:
        before = usage.settled_descriptors(served.pid)
        cpu: list[float] = []
        with (
            usage.Series(served.pid) as series,
            Child(honest, served.addresses, streams - of_them_hostile) as good,
        ):
            _settle(served, alone_s / 10)
            alone = _phase(served, "honest streams alone", alone_s, cpu)
            with Child(hostile, served.addresses, of_them_hostile) as bad:
                beside = _phase(served, "hostile streams beside", seconds, cpu)
                attempts = bad.end()
            found = good.end()
        after = usage.settled_descriptors(served.pid, before, wait=15)
        up = served.process.poll() is None
        log = served.log.read_text()
        status = served.stop()
    delays = found.pop("delays")
    late = [line for line in log.splitlines() if "are late" in line]
    result = {
        "streams": streams,
        "hostile": of_them_hostile,
        "seconds": seconds,
        "alone_s": alone_s,
        "honest": found,
        "attempts": attempts,
        "delay_ms": {
            "alone": _summary(delays, *alone),
            "beside": _summary(delays, *beside),
        },
        "cpu_percent": cpu,
        "memory": series.kept(),
        "growth": _growth(series, seconds + alone_s),
        "descriptors": [before, after],
        "overload_lines": len(late),
        "up": up and status == 0 and "Traceback" not in log,
    }
    return result | {"checks": rows(_checks(result))}


def _settle(served: RunningServe, seconds: float) -> None:
    wait("settling", seconds, lambda: served.process.poll() is None)


def _phase(
    served: RunningServe, what: str, seconds: float, cpu: list[float]
) -> tuple[float, float]:
    begin, used = time.monotonic(), usage.cpu_seconds(served.pid)
    wait(what, seconds, lambda: served.process.poll() is None)
    end = time.monotonic()
    used = usage.cpu_seconds(served.pid) - used
    cpu.append(round(100 * used / (end - begin), 1))
    return begin, end


def _summary(delays: Any, begin: float, end: float) -> dict[str, float]:
    told = delays[:, 0]
    during = 1000 * delays[(told >= begin) & (told < end), 1]
    quantiles = np.quantile(during, [0.5, 0.99, 1.0])
    names = ("p50", "p99", "max")
    found = {n: round(float(q), 1) for n, q in zip(names, quantiles, strict=True)}
    return {"steps": len(during), **found}


def _growth(series: usage.Series, seconds: float) -> float:
    """The most memory in the end over that when it had settled."""
    settled = min(SETTLED_S, seconds / 2)
    then = [m for s, m in zip(series.seconds, series.rss, strict=True) if s <= settled]
    later = series.after(settled)
    return round(max(later[-max(1, len(later) // 4) :]) / max(then[-10:]), 3)


def _checks(result: dict[str, Any]) -> list[Check]:
    wrong, attempts = result["honest"]["wrong"], result["attempts"]
    alone, beside = result["delay_ms"]["alone"], result["delay_ms"]["beside"]
    before, after = result["descriptors"]
    return [
        holds("process up, no traceback in its log", result["up"]),
        none_of(
            "steps missing, skipped, dropped or out of order, of honest streams",
            sum(wrong.values()),
            f"of {beside['steps'] + alone['steps']}",
        ),
        Check(
            "delay of a step with hostile streams beside, p99",
            f"<= {MORE_MS:g} ms more than without",
            f"{alone['p99']:g}, then {beside['p99']:g} ms",
            beside["p99"] <= alone["p99"] + MORE_MS,
            timing=True,
        ),
        none_of(
            "hostile attempts not answered as they should",
            sum(attempts["otherwise"].values()),
            f"of {sum(attempts['attempts'].values())}",
        ),
        Check(
            "memory at the end over that after two minutes",
            f"<= {GROWTH:g}",
            f"{result['growth']:g}",
            result["growth"] <= GROWTH,
            timing=True,
        ),
        none_of("descriptors left over", max(0, after - before)),
    ]
