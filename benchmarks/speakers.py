"""`python -m benchmarks.speakers`: what `--tell-speakers` costs, turn by turn.

Two pipelines hear the same minute in pieces of two seconds, one after the other; CPU of
the thread. And what the voice encoder takes of memory.
"""

import gc
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk
from ser_stream.service.memory import resident_bytes
from training.corpora.utterance import read_samples

MINUTE = Path("tests/data/emodb_minute.flac")
PIECE = 2 * SAMPLE_RATE
MINUTES = 3


def _pipeline(bundle: Bundle, recognizer: OnnxRecognizer, most: int) -> Pipeline:
    config = PipelineConfig(step_s=bundle.step_s, most_speakers=most)
    return Pipeline(recognizer, bundle.front_end, config)


def main() -> None:
    samples = read_samples(MINUTE)
    for name in ("open", "accurate"):
        bundle = load_bundle(name)
        recognizer = OnnxRecognizer(bundle)
        first = _pipeline(bundle, recognizer, 0)
        first.feed(Chunk(0, samples))
        gc.collect()
        before = resident_bytes()
        second = _pipeline(bundle, recognizer, 4)
        second.feed(Chunk(0, samples))
        gc.collect()
        grown = (resident_bytes() - before) / 1e6
        times = []
        for minute in range(1, MINUTES + 1):
            for at in range(0, len(samples), PIECE):
                chunk = Chunk(minute * len(samples) + at, samples[at : at + PIECE])
                row = []
                for pipeline in (first, second):
                    begin = time.thread_time()
                    pipeline.feed(chunk)
                    row.append(time.thread_time() - begin)
                times.append(row)
        alone, told = np.array(times).sum(axis=0)
        sys.stdout.write(
            f"{name}: {told / alone:.2f} times the CPU, "
            f"{100 * (told - alone) / (MINUTES * 60):.2f} % of a core more; "
            f"{grown:.1f} MB more\n"
        )


if __name__ == "__main__":
    main()
