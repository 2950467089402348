"""M3: thousands of hostile lines beside honest subscribers."""

import asyncio
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.attack import BURSTS, attack, bursts
from benchmarks.soak.audio import daemon_on_loop
from benchmarks.soak.checks import Check, at_most, holds, none_of, rows, total
from benchmarks.soak.hostile_lines import KINDS
from benchmarks.soak.listener import STEP_MS, WRONG
from benchmarks.soak.load_generator import Load, LoadGenerator
from benchmarks.soak.progress import wait
from tests.helpers.running_daemon import RunningDaemon

LINES = 10_000
"""Of each kind."""
HONEST = 5
PASSES = 8
"""In which all lines are written: what is only kept at hand grows in the first ones."""
PEAK_MB, GROWTH = 64.0, 1.05
AFTER_S = 2.0
"""Seconds in which the honest ones must still be served when it is over."""
AUDIO_S = 1800.0


def run(scale: float = 1.0) -> dict[str, Any]:
    """Attack, kind after kind; `scale` is of the number of lines."""
    lines = max(10 * PASSES, round(LINES * scale))
    with daemon_on_loop(AUDIO_S) as daemon:
        before, memory = usage.settled_descriptors(daemon.pid), _rss(daemon)
        with (
            LoadGenerator(
                Load(daemon.addresses, healthy=HONEST, timed=True)
            ) as load_generator,
            usage.Series(daemon.pid, every_s=0.1) as series,
        ):
            passes = [
                _all_kinds(daemon, lines // PASSES, seed) for seed in range(PASSES)
            ]
            wait("hostile, afterwards", AFTER_S, lambda: daemon.up)
            found = load_generator.end()
        after = usage.settled_descriptors(daemon.pid, before)
        result = {
            "lines": lines,
            "passes": passes,
            "found": found,
            "memory": series.kept(),
            "rss_mb": [memory, round(max(series.rss), 2), _rss(daemon)],
            "descriptors": [before, after],
            "up": daemon.up,
            "log_bytes": daemon.log.stat().st_size,
            "traceback": "Traceback" in daemon.log.read_text(),
        }
    return result | {"checks": rows(_checks(result))}


def _all_kinds(daemon: RunningDaemon, lines: int, seed: int) -> dict[str, Any]:
    kinds = {}
    for kind in KINDS:
        kinds[kind] = asyncio.run(attack(daemon, kind, lines, seed))
        kinds[kind]["rss_mb"] = _rss(daemon)
    kinds[BURSTS] = bursts(daemon, lines)
    kinds[BURSTS]["rss_mb"] = _rss(daemon)
    return kinds


def _rss(daemon: RunningDaemon) -> float:
    return round(usage.rss_mb(daemon.pid), 2)


def _checks(result: dict[str, Any]) -> list[Check]:
    healthy = result["found"]["healthy"]
    kinds = [kind for one in result["passes"] for kind in one.values()]
    before, peak, after = result["rss_mb"]
    half = result["passes"][PASSES // 2 - 1][BURSTS]["rss_mb"]
    disturbed = total([healthy], f"{WRONG} behind_at_the_end") + len(healthy["byes"])
    otherwise = sum(sum(kind["others"].values()) for kind in kinds)
    connections = otherwise + sum(
        kind["connections_answered_as_they_should"] for kind in kinds
    )
    times = result["found"]["times"]["line_ms"]
    up = result["up"] and not result["traceback"]
    return [
        holds("process up, no traceback in its log", up),
        Check(
            "hostile lines",
            f"{result['lines']} of each kind",
            ", ".join(result["passes"][0]),
            len(kinds) == PASSES * (len(KINDS) + 1),
        ),
        none_of(
            "connections not answered as the protocol says",
            otherwise,
            f"of {connections}",
        ),
        none_of(
            f"events missing, double or out of order for {HONEST} honest subscribers",
            disturbed,
            f"of {healthy['events']}",
        ),
        at_most(
            "their line latency meanwhile, p99 (a step is 200 ms)",
            STEP_MS,
            times["p99"],
            "ms",
            timing=True,
        ),
        at_most("memory at its peak, more than before", PEAK_MB, peak - before, "MB"),
        Check(
            "memory at the end over that after half of them",
            f"<= {GROWTH:g}",
            f"{after / half:.3f} ({before:.1f}, {half:.1f}, then {after:.1f} MB)",
            after <= GROWTH * half,
            timing=True,
        ),
        none_of(
            "descriptors left over", result["descriptors"][1] - result["descriptors"][0]
        ),
        at_most("log written", 1, result["log_bytes"] / 1e6, "MB"),
    ]
