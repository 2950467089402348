"""M2: a microphone that vanishes, stays away, comes back, delivers nothing but zeros.

A source of a private PulseAudio server, read by a real `ser-stream listen`. Each time
it comes back it has another number. Beside it a second one first delivers zeros; then
its process is stopped for a while.
"""

import random
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.checks import Check, at_most, none_of, rows
from benchmarks.soak.listen_run import ListenRun, listen_run, states
from benchmarks.soak.progress import bar
from ser_stream.sources.dead_signal import ZEROS_S
from ser_stream.sources.reconnecting_microphone import FAILED_S
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone

CYCLES = 100
SHORTEST_S, LONGEST_S = 0.2, 3.0
"""How long the microphone is away in a cycle: too short to be noticed, and longer."""
AWAY_S = 70.0
STOPS_S = (1.1, 12.0)
"""How long the process is stopped: shortly, and for longer than its ring holds."""
LATE_S = 6.0
"""So long the latter is at any scale."""
BACK_S, CLOCK_S, CPU_PERCENT = 3.0, 0.3, 2.0
MEMORY_MB = 5.0
"""Each scan for devices leaks 13 KB in ALSA, and a return takes two."""
TIMEOUT_S = 20.0
NAME = "desk"


def run(scale: float = 1.0) -> dict[str, Any]:
    """All of it; `scale` is of the number of cycles, and of the times that are long."""
    with virtual_microphone() as microphone, ThreadPoolExecutor(1) as threads:
        microphone.add_sink("hall", "Hall")
        microphone.add_hum("hall")
        beside = threads.submit(_zeros_and_stops, microphone, scale)
        figures, checks = _goes_and_comes(microphone, scale)
        more_figures, more_checks = beside.result()
    return figures | more_figures | {"checks": rows([*checks, *more_checks])}


def _goes_and_comes(
    microphone: VirtualMicrophone, scale: float
) -> tuple[dict[str, Any], list[Check]]:
    cycles = max(2, round(CYCLES * scale))
    _give(microphone)
    with (
        listen_run(f"mic:{NAME}", microphone.env, ZEROS_S) as listen,
        bar("microphone", cycles + 1, "returns") as shown,
    ):
        before, returns = _usage(listen), []
        for number in range(cycles):
            returns.append(_return(listen, microphone, _seconds(number)))
            shown.update(1)
        after = _usage(listen)
        away = _return(listen, microphone, max(LONGEST_S, AWAY_S * scale))
        shown.update(1)
        ended = not listen.daemon.up
    returns.append(away)
    wrong = [r for r in returns if not _right(r["states"], r["away"])]
    more = {name: after[name] - before[name] for name in before}
    checks = [
        none_of("processes that ended", int(ended)),
        none_of("returns with wrong statuses", len(wrong), f"of {len(returns)}"),
        none_of("returns under the old number", sum(r["same_number"] for r in returns)),
        at_most("back after a return", BACK_S, max(r["back"] for r in returns), "s"),
        at_most("clock error after it", CLOCK_S, _worst(returns), "s"),
        none_of("descriptors left open", max(0, round(more["descriptors"]))),
        at_most("memory more after all returns", MEMORY_MB, more["rss_mb"], "MB"),
        at_most(
            f"processor while it is away for {away['away']:.0f} s",
            CPU_PERCENT,
            away["cpu_percent"],
            "% of a core",
            timing=True,
        ),
    ]
    return {"returns": returns, "before": before, "after": after}, checks


def _usage(listen: ListenRun) -> dict[str, float]:
    """Memory in MB, and descriptors."""
    pid = listen.daemon.pid
    return {
        "rss_mb": usage.rss_mb(pid),
        "descriptors": usage.settled_descriptors(pid),
    }


def _seconds(number: int) -> float:
    if number < 2:
        return (SHORTEST_S, LONGEST_S)[number]
    return random.Random(number).uniform(SHORTEST_S, LONGEST_S)


def _give(microphone: VirtualMicrophone) -> None:
    microphone.add_source(NAME, "Desk Microphone", "hall")


def _return(
    listen: ListenRun, microphone: VirtualMicrophone, away_s: float
) -> dict[str, Any]:
    """Take the microphone away, and give it back; all times in seconds."""
    number = microphone.sources()[NAME]
    microphone.unload(NAME)
    gone, cpu = time.monotonic(), usage.cpu_seconds(listen.daemon.pid)
    time.sleep(away_s)
    away, cpu = time.monotonic() - gone, usage.cpu_seconds(listen.daemon.pid) - cpu
    _give(microphone)
    back = time.monotonic()
    said = listen.statuses("healthy", TIMEOUT_S)
    return {
        "away": away,
        "cpu_percent": 100 * cpu / away,
        "states": states(said),
        "noticed": said[0].at - gone if said else None,
        "back": said[-1].at - back if said else TIMEOUT_S,
        "clock_error": listen.clock_error(),
        "same_number": microphone.sources()[NAME] == number,
    }


def _right(said: Sequence[str], away_s: float) -> bool:
    """Whether these are the statuses of a microphone that was away for so long."""
    # A machine that is busy with something else loses samples at any time.
    order = [state for state in said if state != "overflow"]
    if away_s > FAILED_S:
        return order == ["lost", "recovering", "failed", "healthy"]
    return order in (["lost", "healthy"], ["lost", "recovering", "healthy"])


def _zeros_and_stops(
    microphone: VirtualMicrophone, scale: float
) -> tuple[dict[str, Any], list[Check]]:
    zeros_s = max(1.5, ZEROS_S * scale)
    with listen_run("mic:room", microphone.env, zeros_s) as listen:
        dead = listen.statuses("recovering", zeros_s + TIMEOUT_S)
        error = abs(listen.clock_error())
        sound = time.monotonic()
        microphone.add_hum("room")
        alive = listen.statuses("healthy", TIMEOUT_S)
        back = alive[-1].at - sound if alive else TIMEOUT_S
        said = states([*dead, *alive])
        stops = [
            _stop(listen, s) for s in (STOPS_S[0], max(LATE_S, STOPS_S[1] * scale))
        ]
        ended = not listen.daemon.up
    bad = [s for s in stops if set(s["states"]) - {"overflow"}]
    lengths = " and ".join(f"{s['seconds']:g}" for s in stops)
    order = [state for state in said if state != "overflow"]
    wrong = int(order != ["recovering", "healthy"])
    checks = [
        none_of(f"wrong statuses after {zeros_s:g} s of zeros", wrong),
        at_most("healthy after the first sound", BACK_S, back, "s"),
        at_most("clock error while there are only zeros", CLOCK_S, error, "s"),
        none_of("processes that ended when stopped", int(ended)),
        none_of("statuses but `overflow` after SIGSTOP and SIGCONT", len(bad)),
        at_most(f"clock error after stops of {lengths} s", CLOCK_S, _worst(stops), "s"),
    ]
    zeros = {"seconds": zeros_s, "states": said, "back": back, "clock_error": error}
    return {"zeros": zeros, "stops": stops}, checks


def _stop(listen: ListenRun, seconds: float) -> dict[str, Any]:
    """Stop the process, and let it go on."""
    listen.daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    listen.daemon.process.send_signal(signal.SIGCONT)
    # What the sound server kept for it comes in a burst first.
    said = listen.statuses("", 1.0)
    error = listen.clock_error()
    return {"seconds": seconds, "states": states(said), "clock_error": error}


def _worst(found: Sequence[dict[str, Any]]) -> float:
    return max(abs(float(row["clock_error"])) for row in found)
