"""CPU of one step: ours against recomputing three seconds, turn by turn."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from ser_stream.blocks import Blocker
from ser_stream.bundle import load_bundle
from ser_stream.front_end import FrontEnd, frames_of
from ser_stream.recognizer import OnnxRecognizer
from ser_stream.values import Block, Chunk, FloatArray
from ser_stream.window import EXTRA_FRAMES, MAX_COLUMNS
from training.corpora.utterance import read_samples

SECONDS = 3
N_STEPS = 200


def librosa_mfcc(samples: FloatArray) -> FloatArray:
    """The same MFCCs as a notebook computes them, shape (n, 39)."""
    mel = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=800, hop_length=200, n_mels=128, center=False
    )
    decibels = librosa.power_to_db(mel, amin=1e-14, top_db=None)
    mfcc: FloatArray = librosa.feature.mfcc(S=decibels, n_mfcc=39).T
    return np.ascontiguousarray(mfcc, np.float32)


def measure(clip: Path) -> dict[str, Any]:
    """Median CPU milliseconds of a step, and the ratio of neighbouring pairs."""
    bundle = load_bundle("open")
    recognizer = OnnxRecognizer(bundle)
    samples = read_samples(clip)
    blocks = [b for b in Blocker().feed(Chunk(0, samples)) if isinstance(b, Block)]
    front_end = FrontEnd(bundle.front_end)
    frames = frames_of(samples, bundle.front_end)
    window = recognizer.encode(frames[: 8 * MAX_COLUMNS + EXTRA_FRAMES])
    pairs = iter([blocks[i : i + 2] for i in range(1, len(blocks) - 1, 2)] * 9)

    def ours() -> None:
        for block in next(pairs):
            front_end.feed(block)
        columns = recognizer.encode(frames[: 16 + EXTRA_FRAMES])
        recognizer.scores(np.concatenate([window[2:], columns]))

    cut = samples[16_000 : 16_000 * (1 + SECONDS)]

    def whole() -> None:
        mfcc = librosa_mfcc(cut)
        recognizer.scores(recognizer.encode(mfcc[: 8 * MAX_COLUMNS + EXTRA_FRAMES]))

    for work in (ours, whole):
        for _ in range(10):
            work()
    times = np.array([[_cpu_ms(ours), _cpu_ms(whole)] for _ in range(N_STEPS)])
    mine, theirs = np.median(times, axis=0)
    return {
        "ours_ms": round(float(mine), 3),
        "librosa_and_whole_graph_ms": round(float(theirs), 2),
        "ratio": round(float(np.median(times[:, 1] / times[:, 0])), 1),
        "steps": N_STEPS,
    }


def _cpu_ms(work: Callable[[], None]) -> float:
    # Of the whole process, so that a library's own threads count too.
    begin = time.process_time_ns()
    work()
    return (time.process_time_ns() - begin) / 1e6
