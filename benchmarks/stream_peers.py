"""What a stream costs in programs that work on the window anew at each step.

All on the same speech, five steps a second, each on the window of the last 2.9 s:
openSMILE's functionals by its Python package, without a classifier; librosa's MFCC and
the whole network, as a notebook does it; and the same only where `webrtcvad` hears
speech. And openSMILE's low-level descriptors, each computed once: what is the least
that a live chain of its own, which keeps them, must do.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import opensmile
import webrtcvad

from benchmarks.step import whole_graph, whole_window
from ser_stream.model import Model
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

Feed = Callable[[int, float], object]
"""Ours: feeds so many streams so many seconds."""
WINDOW = CPAC.window_length(CPAC.max_columns)
STEP = round(0.2 * SAMPLE_RATE)
N_STEPS = 10
"""Of a peer in a row."""
ONCE_S = 20
"""Of openSMILE's descriptors in a row, seconds."""
TOGETHER_S, ALONE_S = 0.4, 4.0
"""Of ours in a row: of 250 streams, and of one."""


def measure(
    model: Model, speech: FloatArray, feed: Feed, rounds: int
) -> dict[str, Any]:
    """CPU of a second of one stream, its inverse, and that of ours over it."""
    with tempfile.TemporaryDirectory() as folder:
        graph = whole_graph(Path(folder), model.bundle)
    name = graph.get_inputs()[0].name
    n_frames = CPAC.n_frames(CPAC.max_columns)
    vad = webrtcvad.Vad(2)

    def network(window: FloatArray) -> None:
        frames = whole_window(window, model.bundle.front_end)
        graph.run(None, {name: frames[None, :n_frames]})

    def gated(window: FloatArray) -> None:
        pcm = (window[-STEP:] * 32767).astype("<i2").tobytes()
        pieces = [pcm[at : at + 640] for at in range(0, len(pcm), 640)]
        if sum(vad.is_speech(piece, SAMPLE_RATE) for piece in pieces):
            network(window)

    def smile(of: opensmile.FeatureSet) -> Callable[[FloatArray], object]:
        chain = opensmile.Smile(of, num_workers=1)
        return lambda window: chain.process_signal(window, SAMPLE_RATE)

    peers: dict[str, Callable[[FloatArray], object]] = {
        "opensmile_egemaps": smile(opensmile.FeatureSet.eGeMAPSv02),
        "opensmile_compare": smile(opensmile.FeatureSet.ComParE_2016),
        "librosa_and_whole_graph": network,
        "the_same_gated_by_webrtcvad": gated,
    }
    descriptors = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02,
        opensmile.FeatureLevel.LowLevelDescriptors,
        num_workers=1,
    )
    stretch = speech[: ONCE_S * SAMPLE_RATE]
    for peer in peers.values():
        peer(speech[:WINDOW])
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        for key, n, seconds in (
            ("ours_250_streams", 250, TOGETHER_S),
            ("ours_1_stream", 1, ALONE_S),
        ):
            cpu = _cpu_s(partial(feed, n, seconds))
            times.setdefault(key, []).append(cpu / n / seconds)
        for key, peer in peers.items():
            first = turn * N_STEPS * STEP % (len(speech) - WINDOW - N_STEPS * STEP)
            windows = [speech[first + i * STEP :][:WINDOW] for i in range(N_STEPS)]
            cpu = _cpu_s(lambda: [peer(one) for one in windows])  # noqa: B023  at once
            times.setdefault(key, []).append(cpu * SAMPLE_RATE / STEP / N_STEPS)
        cpu = _cpu_s(lambda: descriptors.process_signal(stretch, SAMPLE_RATE))
        times.setdefault("opensmile_egemaps_descriptors_once", []).append(cpu / ONCE_S)
    ours = np.array(times["ours_250_streams"])
    return {
        key: {
            "cpu_ms_a_second": round(1000 * float(np.median(of)), 2),
            "streams_a_core": round(1 / float(np.median(of)), 1),
            "times_ours": round(float(np.median(np.array(of) / ours)), 1),
        }
        for key, of in times.items()
    }


def _cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin
