"""M5: a day of audio at fast pace, half an hour at real time; nothing may grow."""

import statistics
import subprocess
import time
from typing import Any

from benchmarks.soak import usage
from benchmarks.soak.audio import Feeder, daemon_on_loop
from benchmarks.soak.checks import Check, none_of, rows, total
from benchmarks.soak.listener import WRONG
from benchmarks.soak.load_generator import Load, LoadGenerator
from benchmarks.soak.progress import bar, wait
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.values import SAMPLE_RATE
from tests.helpers.running_daemon import RunningDaemon, running_daemon

DAY_S = 24 * 3600.0
LAST_S = 60.0
"""Of the day: fed when the passing subscribers have left, to count descriptors."""
REALTIME_S = 1800.0
WARM_UP = 0.1
"""Of the day; of the half hour it is a sixth."""
REALTIME_WARM_UP = 1 / 6
HEALTHY, RECONNECTING = 5, 5
STEP = 3200
"""Samples from one prediction to the next."""
GROWTH_MB = 2.0


def fast(scale: float = 1.0, seconds: float | None = None) -> dict[str, Any]:
    """A day of audio through a pipe, as fast as the subscribers read, or `seconds`."""
    audio_s = seconds or DAY_S * scale
    samples = round(audio_s * SAMPLE_RATE)
    pause_at = samples - round(min(LAST_S, audio_s / 10) * SAMPLE_RATE)
    with (
        running_daemon(
            "--pace", "fast", "--raw", source="-", tcp=True, stdin=subprocess.PIPE
        ) as daemon,
        LoadGenerator(Load(daemon.addresses, healthy=HEALTHY)) as load_generator,
    ):
        pipe = daemon.process.stdin
        assert pipe is not None
        before = usage.settled_descriptors(daemon.pid)
        begin = time.monotonic()
        with (
            usage.Series(daemon.pid) as series,
            Feeder(pipe, samples, pause_at) as feeder,
        ):
            with LoadGenerator(
                Load(daemon.addresses, reconnecting=RECONNECTING, stay_s=0.5)
            ) as visitors:
                _follow(feeder, daemon, audio_s)
                visits = visitors.end()
            after = usage.settled_descriptors(daemon.pid, before)
            wall = time.monotonic() - begin
            up = daemon.up
            feeder.go_on()
            status = daemon.process.wait(120)
        found = load_generator.end()
    result = {
        "audio_s": audio_s,
        "wall_s": round(wall, 1),
        "speed": round(pause_at / SAMPLE_RATE / wall, 1),
        "predictions_expected": 1 + (samples - CPAC.first_step) // STEP,
        "descriptors": [before, after],
        "up": up,
        "exit_status": status,
    } | _found(series, WARM_UP * series.seconds[-1], found, visits)
    return result | {"checks": rows([*_exact(result), *_steady(result)])}


def _follow(feeder: Feeder, daemon: RunningDaemon, audio_s: float) -> None:
    with bar("fast", audio_s) as shown:
        while not feeder.paused.wait(0.5):
            shown.set_postfix_str(f"{usage.rss_mb(daemon.pid):.1f} MB")
            shown.update(int(feeder.seconds) - shown.n)


def realtime(scale: float = 1.0, seconds: float | None = None) -> dict[str, Any]:
    """Half an hour at its own pace, or `seconds`."""
    seconds = seconds or REALTIME_S * scale
    with (
        daemon_on_loop(seconds + 120) as daemon,
        LoadGenerator(
            Load(daemon.addresses, healthy=HEALTHY, timed=True)
        ) as load_generator,
    ):
        before = usage.settled_descriptors(daemon.pid)
        with usage.Series(daemon.pid) as series:
            visiting = Load(daemon.addresses, reconnecting=RECONNECTING)
            with LoadGenerator(visiting) as visitors:
                wait("realtime", seconds, lambda: daemon.up)
                visits = visitors.end()
            after = usage.settled_descriptors(daemon.pid, before)
        up = daemon.up
        status = daemon.stop()
        found = load_generator.end()
    result = {
        "seconds": seconds,
        "descriptors": [before, after],
        "up": up,
        "exit_status": status,
    } | _found(series, REALTIME_WARM_UP * seconds, found, visits)
    return result | {"checks": rows(_steady(result))}


def _found(
    series: usage.Series, warm_up_s: float, found: Any, visits: Any
) -> dict[str, Any]:
    later = series.after(warm_up_s)
    tenth = max(1, len(later) // 10)
    return {
        "memory": series.kept(),
        "warm_up_s": round(warm_up_s, 1),
        "rss_mb": {
            "after_warm_up": round(later[0], 3),
            "most_later": round(max(later), 3),
            "first_tenth": round(statistics.median(later[:tenth]), 3),
            "last_tenth": round(statistics.median(later[-tenth:]), 3),
        },
        "found": found,
        "visits": visits["visits"],
    }


def _exact(result: dict[str, Any]) -> list[Check]:
    healthy, expected = result["found"]["healthy"], result["predictions_expected"]
    got = healthy["predictions"]
    return [
        Check(
            f"predictions that each of {healthy['connections']} subscribers got",
            f"{expected}",
            f"{got[0]} to {got[1]}",
            got == [expected, expected],
        ),
        Check(
            "first and last `seq` are the same for all",
            "1, and one last",
            f"{healthy['first_seq']}, {healthy['last_seq']}",
            healthy["first_seq"] == [1, 1] and len(set(healthy["last_seq"])) == 1,
        ),
    ]


def _steady(result: dict[str, Any]) -> list[Check]:
    healthy, visits = result["found"]["healthy"], result["visits"]
    memory = result["rss_mb"]
    growth = memory["most_later"] - memory["after_warm_up"]
    before, after = result["descriptors"]
    wrong = total((healthy, visits), WRONG)
    orderly = (
        result["up"]
        and result["exit_status"] == 0
        and healthy["byes"] == {"shutdown": healthy["connections"]}
    )
    return [
        none_of(
            "events missing, double or out of order",
            wrong + result["found"]["different_lines"],
            f"of {healthy['events'] + visits['events']}, "
            f"{visits['connections']} visits",
        ),
        Check(
            "memory: most after the warm-up, less that at its end",
            f"< {GROWTH_MB:g} MB",
            f"{growth:.2f} MB (from {memory['after_warm_up']:.1f} MB; median of the "
            f"last tenth less that of the first: "
            f"{memory['last_tenth'] - memory['first_tenth']:+.2f} MB)",
            growth < GROWTH_MB,
            timing=True,
        ),
        none_of("descriptors left over", after - before, f"({before} before)"),
        Check(
            "end", "`bye` to all, status 0", f"status {result['exit_status']}", orderly
        ),
    ]
