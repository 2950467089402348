"""The whole program at real-time pace: CPU, memory, start and latency."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.soak.usage import cpu_seconds, rss_mb
from training.corpora.utterance import read_samples


def make_inputs(folder: Path, minute: Path, seconds: int) -> dict[str, Path]:
    """Continuous speech without its pauses, and two kinds of silence."""
    rows = minute.with_suffix(".csv").read_text("utf-8").splitlines()[1:]
    samples = read_samples(minute)
    spans = [[round(float(x) * 16) for x in row.split(",")[:2]] for row in rows]
    speech = np.concatenate([samples[start:end] for start, end in spans])
    n = seconds * 16_000
    speech = np.tile(speech, n // len(speech) + 1)[:n]
    room = np.random.default_rng(0).standard_normal(n) * 10 ** (-60 / 20)
    signals = {"speech": speech, "idle room": room, "digital silence": np.zeros(n)}
    paths = {}
    for name, signal in signals.items():
        paths[name] = folder / f"{name.replace(' ', '-')}.flac"
        soundfile.write(paths[name], signal, 16_000)
    return paths


def measure(path: Path) -> dict[str, Any]:
    """Run `listen` on one file and watch it; CPU is counted from `hello` to the end."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "ser_stream", "listen", "--input", str(path)]
    process = subprocess.Popen(
        [*command, "--format", "json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    hello = json.loads(process.stdout.readline())
    hello_s = time.monotonic() - begin
    before, started = cpu_seconds(process.pid), time.monotonic()
    latencies, after, rss = [], before, 0.0
    for line in process.stdout:
        message = json.loads(line)
        if message["type"] == "prediction":
            latencies.append(message["latency_ms"])
            after, rss = cpu_seconds(process.pid), rss_mb(process.pid)
            ended = time.monotonic()
    status = process.wait()
    assert hello["type"] == "hello", hello
    assert status == 0, status
    return {
        "hello_s": round(hello_s, 2),
        "start_cpu_s": round(before, 2),
        "seconds": round(ended - started, 1),
        "cpu_percent": round(100 * (after - before) / (ended - started), 2),
        "rss_mb": round(rss * 1e6 / 2**20, 1),
        "latency_ms_p50": round(float(np.percentile(latencies, 50)), 1),
        "latency_ms_p99": round(float(np.percentile(latencies, 99)), 1),
        "predictions": len(latencies),
    }
