"""`ser-stream bench`: what a step costs on this machine."""

import json
import resource
import time
from importlib import import_module
from itertools import cycle
from typing import Any

import numpy as np

from ser_stream.commands.output import write
from ser_stream.model import Model
from ser_stream.pipeline.blocks import BLOCK_LENGTH, Blocker
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.front_end import FrontEnd
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import SAMPLE_RATE, Block, Chunk, FloatArray

N_WARM_UP = 10


def bench(model: str, seconds: float, as_json: bool) -> None:
    """Time the stages of a step one by one, and the whole pipeline, one thread."""
    bundle = load_bundle(model)
    loaded = Model(bundle)
    recognizer = loaded.recognizer
    rng = np.random.default_rng(0)
    samples = voice_like(rng, round(seconds * SAMPLE_RATE))
    blocks = [b for b in Blocker().feed(Chunk(0, samples)) if isinstance(b, Block)]
    per_step = loaded.config.step_blocks
    steps = len(blocks) // per_step
    front_end, gate = FrontEnd(bundle.front_end), SpeechGate()
    n = bundle.front_end.n_features
    geometry = bundle.geometry
    # What a step brings; a network that wants the window whole gets the longest.
    new = per_step * geometry.frame.frames_per_block
    if geometry.whole:
        new = geometry.n_frames(geometry.max_columns)
    cold = rng.standard_normal((geometry.cold_frames + new, n)).astype(np.float32)
    encoded, state = recognizer.encode(cold, None)
    frames = cold[len(cold) - geometry.kept_frames - new :]
    columns = np.resize(encoded, (geometry.max_columns, *encoded.shape[1:]))

    def a_step(stage: Any) -> Any:
        endless = cycle(blocks)
        return lambda: [stage.feed(next(endless)) for _ in range(per_step)]

    stages = {
        "front end": _cpu_times(a_step(front_end), steps),
        "gate": _cpu_times(a_step(gate), steps),
        "encoder": _cpu_times(lambda: recognizer.encode(frames, state), steps),
        "head": _cpu_times(lambda: recognizer.scores(columns), steps),
    }
    result: dict[str, Any] = {
        "model": bundle.name,
        "step_ms": round(1000 * loaded.config.step_s),
        "cpu_ms": {name: _percentiles(times) for name, times in stages.items()},
    }
    parts = ("front end", "encoder", "head")
    total = np.sum([stages[name] for name in parts], axis=0)
    result["cpu_ms"]["front end + encoder + head"] = _percentiles(total)
    result["real_time_factor"] = _whole(loaded, samples)
    result["max_rss_mb"] = round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1
    )
    result["versions"] = {
        name: str(import_module(name).__version__) for name in ("numpy", "onnxruntime")
    }
    write((json.dumps(result) if as_json else _text(result)) + "\n")


def voice_like(rng: np.random.Generator, n: int) -> FloatArray:
    """A buzz that swells four times a second: keeps all stages but the VAD busy."""
    t = np.arange(n) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 20))
    swell = 0.1 * (1.1 + np.sin(2 * np.pi * 4 * t))
    noise = 0.003 * rng.standard_normal(n)
    return (swell * buzz * 0.3 + noise).astype(np.float32)


def _cpu_times(work: Any, n: int) -> np.ndarray:
    for _ in range(N_WARM_UP):
        work()
    times = np.empty(n)
    for i in range(n):
        begin = time.thread_time_ns()
        work()
        times[i] = (time.thread_time_ns() - begin) / 1e6
    return times


def _percentiles(times: np.ndarray) -> dict[str, float]:
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"p50": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3)}


def _whole(model: Model, samples: FloatArray) -> float:
    pipeline = model.pipeline()
    begin = time.monotonic()
    for start in range(0, len(samples), BLOCK_LENGTH):
        pipeline.feed(Chunk(start, samples[start : start + BLOCK_LENGTH]))
    return round((time.monotonic() - begin) / (len(samples) / SAMPLE_RATE), 5)


def _text(result: dict[str, Any]) -> str:
    rows = [
        f"model {result['model']}: CPU milliseconds of one step of "
        f"{result['step_ms']} ms of audio"
    ]
    rows.append(f"  {'':<28}{'p50':>8}{'p95':>8}{'p99':>8}")
    for name, row in result["cpu_ms"].items():
        figures = "".join(f"{row[p]:8.3f}" for p in ("p50", "p95", "p99"))
        rows.append(f"  {name:<28}{figures}")
    rows.append(
        f"whole pipeline: real-time factor {result['real_time_factor']}; "
        f"peak memory {result['max_rss_mb']} MB"
    )
    return "\n".join(rows)
