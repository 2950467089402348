"""Emotions heard where nobody speaks: `python -m benchmarks.false_alarms NOISE_DIR`.

Recordings without voice (a folder of .flac files; those whose manifest.csv says
`contains_voice` are left out) at several gains, and signals made here.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ser_stream.bundle import load_bundle
from ser_stream.pipeline import Pipeline
from ser_stream.recognizer import OnnxRecognizer
from ser_stream.values import (
    SAMPLE_RATE,
    Chunk,
    EmotionEvent,
    FloatArray,
    Phase,
    Prediction,
    State,
)
from training.corpora.utterance import read_samples

GAINS_DB = (-20, 0, 20)


def synthetic(rng: np.random.Generator) -> Iterator[tuple[str, FloatArray]]:
    """The signals that a daemon meets when something is wrong with its input."""
    minute = 60 * SAMPLE_RATE
    yield "digital silence", np.zeros(minute, np.float32)
    t = np.arange(minute)
    yield "0 dBFS square wave", np.where(t // 40 % 2, 1, -1).astype(np.float32)
    yield "DC offset", np.full(minute, 0.3, np.float32)
    spectrum = np.fft.rfft(rng.standard_normal(10 * minute))
    spectrum /= np.sqrt(np.arange(1, len(spectrum) + 1))
    pink = np.fft.irfft(spectrum)
    yield "pink noise, 10 min", (0.1 * pink / pink.std()).astype(np.float32)


def recordings(folder: Path) -> Iterator[tuple[str, FloatArray]]:
    """The recordings of a folder, at every gain, clipped at full scale."""
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["contains_voice"] == "no"]
    for row in rows:
        samples = read_samples(folder / row["file"])
        for gain in GAINS_DB:
            scaled = np.clip(samples * 10 ** (gain / 20), -1, 1).astype(np.float32)
            yield f"{row['file']} {gain:+d} dB", scaled


def main() -> None:
    """Print a line a signal, and the sum."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m benchmarks.false_alarms NOISE_DIR")
    bundle = load_bundle("open")
    recognizer = OnnxRecognizer(bundle)
    total_s, total = 0.0, 0
    signals = [*synthetic(np.random.default_rng(0)), *recordings(Path(sys.argv[1]))]
    for name, samples in signals:
        pipeline = Pipeline(recognizer, bundle.front_end)
        events = pipeline.feed(Chunk(0, samples)) + pipeline.flush()
        steps = [e for e in events if isinstance(e, Prediction)]
        starts = [
            e for e in events if isinstance(e, EmotionEvent) and e.phase is Phase.START
        ]
        finite = all(np.isfinite(e.scores).all() for e in steps if e.scores is not None)
        result = {
            "signal": name,
            "seconds": round(len(samples) / SAMPLE_RATE, 1),
            "speech_steps": sum(e.state is State.SPEECH for e in steps),
            "emotions": len(starts),
            "finite": finite,
        }
        total_s += len(samples) / SAMPLE_RATE
        total += len(starts)
        sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.write(f"{total} emotions in {total_s / 60:.1f} minutes without voice\n")


if __name__ == "__main__":
    main()
