"""One daemon and one microphone, beside a version before.

`python -m benchmarks.one_microphone --before REV` runs `ser-stream listen` of both, by
turns, on speech without pauses, on the bundled minute, and in a quiet room: at
real-time pace from a file, and through PortAudio from a private PulseAudio server.
Nobody subscribes. Counted is the processor time of all threads of the daemon, of which
the scheduler keeps nanoseconds, some seconds after its start.
"""

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import soundfile

from benchmarks.soak.host import description
from benchmarks.soak.usage import rss_mb
from ser_stream.atomic_file import replace_file
from tests.helpers.paths import MINUTE, ROOT
from tests.helpers.program import ENVIRONMENT
from tests.helpers.running_daemon import running_daemon
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone
from training.corpora.utterance import read_samples

SETTLE_S = 3.0
"""After the start, before anything is counted."""
ROOM_DBFS = -70.0
FILE, MICROPHONE = "file", "microphone"


class Cost(NamedTuple):
    """Of one daemon over some seconds."""

    cpu_percent: float
    """Of a core."""
    wakeups: float
    """How often a thread of it began to run again, each second."""
    faults: float
    """Pages that the system had to give it, each second."""
    rss_mb: float
    """At the end."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", required=True, help="a revision of git")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run")
    parser.add_argument("--only", default="", help="situations whose name holds this")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with ExitStack() as stack:
        trees = {"before": stack.enter_context(tree(options.before)), "now": ROOT}
        for folder in trees.values():
            # As pip does: what Python compiles at each start takes memory.
            compileall.compile_dir(folder / "ser_stream", quiet=1)
        inputs = make_inputs(
            Path(stack.enter_context(tempfile.TemporaryDirectory())),
            SETTLE_S + options.seconds + 12,
        )
        wanted = [
            (kind, name)
            for kind in (FILE, MICROPHONE)
            for name in inputs
            if options.only in f"{kind}, {name}"
        ]
        microphone = None
        if any(kind == MICROPHONE for kind, _ in wanted):
            microphone = stack.enter_context(virtual_microphone())
        result: dict[str, Any] = {"machine": description(), "before": options.before}
        for kind, name in wanted:
            costs: dict[str, list[Cost]] = {version: [] for version in trees}
            for turn in range(options.rounds):
                # Each is first as often as the other.
                for version in sorted(trees, reverse=bool(turn % 2)):
                    heard = microphone if kind == MICROPHONE else None
                    cost = measure(trees[version], inputs[name], options.seconds, heard)
                    costs[version].append(cost)
            figures = result[f"{kind}, {name}"] = summary(costs)
            sys.stdout.write(f"{kind}, {name}: {json.dumps(figures)}\n")
            sys.stdout.flush()
    if options.json is not None:
        replace_file(options.json, json.dumps(result, indent=1) + "\n")


def summary(costs: Mapping[str, list[Cost]]) -> dict[str, Any]:
    """Medians of both versions, and the ratio of neighbouring runs with its range."""
    figures: dict[str, Any] = {
        version: {
            name: round(median(getattr(one, name) for one in some), 2)
            for name in Cost._fields
        }
        for version, some in costs.items()
    }
    ratios = [
        now.cpu_percent / before.cpu_percent
        for before, now in zip(costs["before"], costs["now"], strict=True)
    ]
    figures["ratio"] = [
        round(each, 3) for each in (median(ratios), min(ratios), max(ratios))
    ]
    return figures


@contextmanager
def tree(revision: str) -> Iterator[Path]:
    """The checkout as it was then."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run(
            [*git, "add", "--quiet", "--detach", str(path), revision], check=True
        )
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def make_inputs(folder: Path, seconds: float) -> dict[str, Path]:
    """Speech without its pauses, the minute as it is, and a quiet room; at 48 kHz too.

    Each is a file that lasts longer than any daemon listens.
    """
    samples = read_samples(MINUTE)
    rows = MINUTE.with_suffix(".csv").read_text("utf-8").splitlines()[1:]
    spans = [[round(float(x) * 16) for x in row.split(",")[:2]] for row in rows]
    n = round(seconds * 16_000)
    noise = np.random.default_rng(0).standard_normal(n) * 10 ** (ROOM_DBFS / 20)
    signals = {
        "speech": np.concatenate([samples[start:end] for start, end in spans]),
        "minute": samples,
        "quiet room": noise,
    }
    paths = {}
    for name, signal in signals.items():
        paths[name] = folder / f"{name.replace(' ', '-')}.wav"
        soundfile.write(paths[name], np.resize(signal, n), 16_000, subtype="FLOAT")
    return paths


def measure(
    folder: Path, heard: Path, seconds: float, microphone: VirtualMicrophone | None
) -> Cost:
    """What the version in `folder` costs while it hears a file."""
    environment = dict(ENVIRONMENT if microphone is None else microphone.env)
    environment["PYTHONPATH"] = str(folder)
    with ExitStack() as stack:
        if microphone is not None:
            player = subprocess.Popen(
                ["paplay", "--device=room", "--latency-msec=1000", str(heard)],
                env=microphone.env,
            )
            stack.callback(player.wait)
            stack.callback(player.kill)
        daemon = stack.enter_context(
            running_daemon(
                source=heard if microphone is None else "mic",
                environment=environment,
                # Without -P it would run the version in the present folder.
                program=[sys.executable, "-P", "-m", "ser_stream"],
            )
        )
        time.sleep(SETTLE_S)
        before, begin = _used(daemon.pid), time.monotonic()
        time.sleep(seconds)
        after, passed = _used(daemon.pid), time.monotonic() - begin
        assert daemon.up, daemon.log.read_text()
        cpu, wakeups, faults = (
            (b - a) / passed for a, b in zip(before, after, strict=True)
        )
        return Cost(100 * cpu / 1e9, wakeups, faults, rss_mb(daemon.pid))


def _used(pid: int) -> tuple[int, int, int]:
    """Nanoseconds, wake-ups and page faults of all threads so far."""
    ran = woke = 0
    for task in os.scandir(f"/proc/{pid}/task"):
        folder = Path(task.path)
        ran += int((folder / "schedstat").read_text().split()[0])
        rows = (folder / "status").read_text().splitlines()
        woke += sum(
            int(row.split()[1])
            for row in rows
            if row.startswith("voluntary_ctxt_switches")
        )
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return ran, woke, int(fields[7])


if __name__ == "__main__":
    main()
