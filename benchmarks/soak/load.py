"""M1: hundreds of subscribers, good and bad, while audio comes in real time."""

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.audio import daemon_on_loop
from benchmarks.soak.checks import Check, at_most, holds, none_of, rows, total
from benchmarks.soak.load_generator import Load, LoadGenerator
from benchmarks.soak.progress import wait
from ser_stream.client import control
from tests.helpers.running_daemon import RunningDaemon

ROUND_S = 600.0
STAGE_S = 20.0
SUBSCRIBERS = {"healthy": 500, "deaf": 50, "slow": 50, "fickle": 50}
STAGES = (1, 10, 100, 500, 1000)
LATENCY_MS = 50.0
GROWTH = 1.05
CLOCK_MS = 5.0
"""The computer's clock may be set meanwhile; then latencies mean nothing."""


def run(
    scale: float = 1.0,
    seconds: float | None = None,
    stages: Sequence[int] = STAGES,
) -> dict[str, Any]:
    """Two rounds of all kinds of subscribers, then CPU by their number.

    `scale` is of time, unless a round's `seconds` are given, and of subscribers.
    """
    round_s = seconds or ROUND_S * scale
    stage_s = max(2.0, STAGE_S * scale)
    audio_s = 1.2 * (2 * round_s + stage_s * len(stages)) + 120
    with (
        daemon_on_loop(audio_s) as daemon,
        usage.Series(daemon.pid) as series,
    ):
        offset = _clock()
        rounds = [_round(daemon, scale, round_s, number) for number in (1, 2)]
        offset = abs(_clock() - offset)
        usage_by_number = [_stage(daemon, _share(n, scale), stage_s) for n in stages]
        up, status = daemon.up, control("status", daemon.socket)
    result = {
        "round_s": round_s,
        "rounds": rounds,
        "cpu_by_subscribers": usage_by_number,
        "memory": series.kept(),
        "clock_moved_ms": round(offset * 1000, 3),
        "up": up,
        "skipped_by_status": status["skipped"],
    }
    return result | {"checks": rows(_checks(result))}


def _share(n: int, scale: float) -> int:
    return max(1, round(n * scale))


def _clock() -> float:
    return time.time() - time.monotonic()


def _round(
    daemon: RunningDaemon, scale: float, seconds: float, number: int
) -> dict[str, Any]:
    before = usage.settled_descriptors(daemon.pid)
    subscribers = {kind: _share(n, scale) for kind, n in SUBSCRIBERS.items()}
    load = Load(
        daemon.addresses,
        healthy=subscribers["healthy"],
        non_reading=subscribers["deaf"],
        slow=subscribers["slow"],
        reconnecting=subscribers["fickle"],
        timed=True,
        seed=number,
    )
    with LoadGenerator(load) as load_generator:
        wait(f"load, round {number}", seconds, lambda: daemon.up)
        full = usage.rss_mb(daemon.pid)
        found = load_generator.end()
    after = usage.settled_descriptors(daemon.pid, before)
    return {
        "subscribers": subscribers,
        "found": found,
        "rss_mb_full": round(full, 2),
        "rss_mb_after": round(usage.rss_mb(daemon.pid), 2),
        "descriptors_before": before,
        "descriptors_after": after,
    }


def _stage(daemon: RunningDaemon, subscribers: int, seconds: float) -> dict[str, Any]:
    load = Load(daemon.addresses, healthy=subscribers, timed=True)
    with LoadGenerator(load) as load_generator:
        begin, cpu = time.monotonic(), usage.cpu_seconds(daemon.pid)
        wait(f"load, CPU with {subscribers}", seconds, lambda: daemon.up)
        cpu = usage.cpu_seconds(daemon.pid) - cpu
        percent = 100 * cpu / (time.monotonic() - begin)
        found = load_generator.end()
    usage.settled_descriptors(daemon.pid)
    return {
        "subscribers": subscribers,
        "cpu_percent": round(percent, 2),
        "line_ms": found["times"]["line_ms"],
        "jumps": found["healthy"]["jumps"],
    }


def _checks(result: dict[str, Any]) -> list[Check]:
    rounds = result["rounds"]
    found = [one["found"] for one in rounds]
    healthy = [one["healthy"] for one in found]
    visits = [one["visits"] for one in found]
    slow = [one["slow"] for one in found]
    first, second = (one["rss_mb_after"] for one in rounds)
    stages = result["cpu_by_subscribers"]
    p99 = max(one["times"]["line_ms"]["p99"] for one in found)
    skipped = total([*healthy, *visits], "skipped_steps")
    wrong = total(healthy, "jumps dropped cut wrong_greetings behind_at_the_end")
    wrong += sum(len(one["byes"]) for one in healthy)
    return [
        holds("process up", result["up"]),
        none_of("skipped windows", skipped + result["skipped_by_status"]),
        none_of(
            "events that a healthy subscriber lacks, or gets twice or out of order",
            wrong,
            f"of {total(healthy, 'events')}",
        ),
        none_of(
            "lines that differ between subscribers", total(found, "different_lines")
        ),
        none_of(
            "wrong lines to those that come and go",
            total(visits, "jumps cut wrong_greetings"),
            f"in {total(visits, 'connections')} visits",
        ),
        none_of(
            "slow readers whose `dropped` does not add up",
            total(slow, "wrong_accounts"),
            f"({total(slow, 'told_dropped')} told)",
        ),
        at_most("line latency, p99", LATENCY_MS, p99, "ms", timing=True),
        Check(
            "memory after the second round over that after the first",
            f"<= {GROWTH:g}",
            f"{second / first:.3f} ({first:.1f}, then {second:.1f} MB)",
            second <= GROWTH * first,
        ),
        none_of(
            "descriptors left over",
            max(one["descriptors_after"] - one["descriptors_before"] for one in rounds),
        ),
        Check(
            "CPU by subscribers",
            "reported",
            ", ".join(f"{s['subscribers']}: {s['cpu_percent']:.1f} %" for s in stages),
            bool(stages),
        ),
        at_most(
            "the computer's clock moved against its ticks",
            CLOCK_MS,
            result["clock_moved_ms"],
            "ms",
            timing=True,
        ),
    ]
