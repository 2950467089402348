"""CPU of one step: ours against recomputing three seconds, turn by turn.

The peer is what a program does that calls librosa and a whole network at every step:
MFCCs of the last three seconds, then one graph from frames to logits, under the same
ONNX Runtime with the same one thread.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import onnxruntime
import torch

from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig, frames_of
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.mfcc import power_spectrum
from ser_stream.pipeline.onnx_session import open_session
from ser_stream.pipeline.pitch import pitchogram
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import Block, Chunk, FloatArray
from training.corpora.utterance import read_samples

SECONDS = 3
N_ROUNDS = 20
N_STEPS = 10
"""Of one kind in a row, so that neither is timed with the other's data in the cache."""


def librosa_mfcc(samples: FloatArray) -> FloatArray:
    """The same MFCCs as a notebook computes them, shape (n, 39)."""
    mel = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=800, hop_length=200, n_mels=128, center=False
    )
    decibels = librosa.power_to_db(mel, amin=1e-14, top_db=None)
    mfcc: FloatArray = librosa.feature.mfcc(S=decibels, n_mfcc=39).T
    return np.ascontiguousarray(mfcc, np.float32)


def whole_window(samples: FloatArray, front_end: FrontEndConfig) -> FloatArray:
    """All frames of a window computed anew, shape (n, n_features)."""
    mfcc = librosa_mfcc(samples)
    if front_end.pitch is None:
        return mfcc
    # No library has the pitchogram; it is a thirtieth of librosa's time.
    frames = np.lib.stride_tricks.sliding_window_view(samples, 800)[::200]
    power = power_spectrum(frames, front_end.mfcc)
    pitch = pitchogram(power, front_end.pitch, front_end.mfcc)
    return np.concatenate([mfcc, pitch], axis=1)


def whole_graph(folder: Path, bundle: Bundle) -> onnxruntime.InferenceSession:
    """The network as one graph; its weights do not matter for its cost."""
    path = folder / "whole.onnx"
    n_features = bundle.front_end.n_features
    frames = torch.zeros(1, CPAC.n_frames(CPAC.max_columns), n_features)
    config = CpacConfig.listening(len(bundle.labels))
    program = torch.onnx.export(
        Cpac(config).eval(), (frames,), dynamo=True, verbose=False
    )
    assert program is not None
    program.save(str(path))
    return open_session(path)


def measure(clip: Path) -> dict[str, Any]:
    """Median CPU milliseconds of a step, and the ratio of neighbouring pairs."""
    bundle = load_bundle("open")
    recognizer = OnnxRecognizer(bundle)
    samples = read_samples(clip)
    blocks = [b for b in Blocker().feed(Chunk(0, samples)) if isinstance(b, Block)]
    front_end = FrontEnd(bundle.front_end)
    frames = frames_of(samples, bundle.front_end)
    cold = frames[: 8 * CPAC.max_columns + CPAC.cold_frames]
    window, state = recognizer.encode(cold, None)
    new = frames[: 16 + CPAC.kept_frames]
    pairs = iter([blocks[i : i + 2] for i in range(1, len(blocks) - 1, 2)] * 9)

    def ours() -> None:
        for block in next(pairs):
            front_end.feed(block)
        columns, _ = recognizer.encode(new, state)
        recognizer.scores(np.concatenate([window[2:], columns]))

    with tempfile.TemporaryDirectory() as folder:
        graph = whole_graph(Path(folder), bundle)
    name = graph.get_inputs()[0].name
    cut = samples[16_000 : 16_000 * (1 + SECONDS)]

    def whole() -> None:
        whole_frames = whole_window(cut, bundle.front_end)
        graph.run(None, {name: whole_frames[None, : CPAC.n_frames(CPAC.max_columns)]})

    for work in (ours, whole):
        for _ in range(10):
            work()
    times = np.array([[_cpu_ms(ours), _cpu_ms(whole)] for _ in range(N_ROUNDS)])
    mine, theirs = np.median(times, axis=0)
    return {
        "ours_ms": round(float(mine), 3),
        "librosa_and_whole_graph_ms": round(float(theirs), 2),
        "ratio": round(float(np.median(times[:, 1] / times[:, 0])), 1),
        "rounds": N_ROUNDS,
        "steps_a_round": N_STEPS,
    }


def _cpu_ms(work: Callable[[], None]) -> float:
    # Of the whole process, so that a library's own threads count too.
    begin = time.process_time_ns()
    for _ in range(N_STEPS):
        work()
    return (time.process_time_ns() - begin) / 1e6 / N_STEPS
