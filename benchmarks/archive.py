"""Whole recordings: `python -m benchmarks.archive --clips DIR [--long FILE]`.

CPU of a folder of clips and of a long file, turn by turn in one process with one
thread. `before` is the live pipeline, which loads its detector for each recording, as
`recognize` did; beside it librosa's MFCC alone, and openSMILE's ComParE with a linear
SVM. The memory is that of `ser-stream recognize`, a process of its own.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import librosa
import numpy as np
import opensmile
import soundfile
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks.soak.host import description
from ser_stream.atomic_file import replace_file
from ser_stream.model import Model
from ser_stream.pipeline.batch.record import record_each, record_whole
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.detector import silero_session
from ser_stream.pipeline.recording import Recording, record
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.corpora.utterance import read_samples

Work = Callable[[Sequence[FloatArray]], object]
TOGETHER = 32
"""Clips of each kind in a row."""
PART_S = 300
"""Of the long file in a row, seconds."""
PAUSE_S = 0.5
"""Between the clips that a long file is made of."""
N_SMILE = 4
"""Clips of each 32 that openSMILE gets: it takes a hundred times as long."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="folder of clips")
    parser.add_argument("--long", type=Path, help="a long file; made of the clips")
    parser.add_argument("--seconds", type=int, default=3600, help="of one that is made")
    parser.add_argument("--rounds", type=int, default=3, help="over all clips")
    parser.add_argument("--model", default="open")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    model = Model(load_bundle(options.model))
    clips = [read_samples(path) for path in sorted(options.clips.glob("*.flac"))]
    result: dict[str, Any] = {"machine": description()}
    result["clips"] = clip_figures(model, clips, options.rounds)
    _say("clips", result["clips"])
    with tempfile.TemporaryDirectory() as folder:
        path = options.long or _joined(clips, options.seconds, Path(folder))
        result["long"] = long_figures(model, path)
        _say("long", result["long"])
        result["peak_rss_mb"] = {
            "a long file": _peak_rss_mb(options.model, [path]),
            "the clips": _peak_rss_mb(
                options.model, sorted(options.clips.glob("*.flac"))
            ),
        }
    _say("peak_rss_mb", result["peak_rss_mb"])
    if options.json:
        replace_file(options.json, json.dumps(result, indent=1) + "\n")


def ways(model: Model) -> dict[str, Work]:
    """How to work on some recordings, by name."""
    settings = model.recognizer, model.bundle.front_end, model.config

    def before(clips: Sequence[FloatArray]) -> None:
        for clip in clips:
            silero_session.cache_clear()
            record(clip, *settings)

    def mfcc(clips: Sequence[FloatArray]) -> None:
        for clip in clips:
            librosa.feature.mfcc(
                y=clip, sr=SAMPLE_RATE, n_mfcc=39, n_fft=800, hop_length=200
            )

    return {
        "before": before,
        "live": lambda clips: [record(clip, *settings) for clip in clips],
        "alone": lambda clips: [record_whole(clip, *settings) for clip in clips],
        "together": lambda clips: list(record_each(clips, *settings)),
        "librosa_mfcc": mfcc,
    }


def clip_figures(
    model: Model, clips: Sequence[FloatArray], rounds: int
) -> dict[str, Any]:
    """Milliseconds of CPU a clip, and ratios of neighbours in time."""
    works = ways(model)
    smile = _smile_and_svm(clips[:6])
    times: dict[str, list[float]] = {name: [] for name in [*works, "compare_svm"]}
    for work in works.values():
        work(clips[:2])
    for _ in range(rounds):
        for i in range(0, len(clips) - TOGETHER + 1, TOGETHER):
            some = clips[i : i + TOGETHER]
            for name, work in works.items():
                times[name].append(_cpu_ms(work, some))
    for i in range(0, len(clips) - N_SMILE, 2 * TOGETHER):
        times["compare_svm"].append(_cpu_ms(smile, clips[i : i + N_SMILE]))
    settings = model.recognizer, model.bundle.front_end, model.config
    found = zip(clips, record_each(clips, *settings), strict=True)
    return {
        "clips": len(clips),
        "seconds": round(sum(map(len, clips)) / SAMPLE_RATE, 1),
        "ms_a_clip": {k: round(float(np.median(v)), 2) for k, v in times.items()},
        "least_ms_a_clip": {k: round(min(v), 2) for k, v in times.items()},
        "before_over_together": _ratio(times, "before", "together"),
        "before_over_alone": _ratio(times, "before", "alone"),
        "live_over_together": _ratio(times, "live", "together"),
        "together_over_librosa": _ratio(times, "together", "librosa_mfcc"),
        "most_difference_of_scores": max(
            _difference(record(clip, *settings), one) for clip, one in found
        ),
    }


def long_figures(model: Model, path: Path) -> dict[str, Any]:
    """CPU of a long file, part by part."""
    settings = model.recognizer, model.bundle.front_end, model.config
    times: dict[str, list[float]] = {"before": [], "after": []}
    seconds, difference = 0.0, 0.0
    for part in _parts(path):
        silero_session.cache_clear()
        begin = time.process_time()
        live = record(part, *settings)
        middle = time.process_time()
        whole = record_whole(part, *settings)
        times["after"].append(time.process_time() - middle)
        times["before"].append(middle - begin)
        seconds += len(part) / SAMPLE_RATE
        difference = max(difference, _difference(live, whole))
    return {
        "seconds": round(seconds, 1),
        "cpu_s": {name: round(sum(of), 2) for name, of in times.items()},
        "times_real_time": {n: round(seconds / sum(of)) for n, of in times.items()},
        "before_over_after": _ratio(times, "before", "after"),
        "most_difference_of_scores": difference,
    }


def _difference(one: Recording, other: Recording) -> float:
    """Of the scores, at most; infinite if labels or emotions differ."""
    labels = [p.label for p in one.predictions], [p.label for p in other.predictions]
    told = [
        [
            (t.at, t.event.phase, t.event.id, t.event.label, t.event.start)
            for t in r.told
        ]
        for r in (one, other)
    ]
    if labels[0] != labels[1] or told[0] != told[1]:
        return float("inf")
    pairs = zip(one.predictions, other.predictions, strict=True)
    return max(
        (
            float(abs(p.scores - q.scores).max())
            for p, q in pairs
            if p.scores is not None and q.scores is not None
        ),
        default=0.0,
    )


def _smile_and_svm(clips: Sequence[FloatArray]) -> Work:
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, num_workers=1)

    def values(samples: FloatArray) -> FloatArray:
        found: FloatArray = np.ravel(smile(samples, SAMPLE_RATE)).astype(np.float32)
        return found

    # What it says does not matter for its cost.
    svm = make_pipeline(StandardScaler(), LinearSVC())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        svm.fit(np.array([values(c) for c in clips]), np.arange(len(clips)) % 5)
    return lambda some: [svm.predict(values(clip)[None]) for clip in some]


def _cpu_ms(work: Work, clips: Sequence[FloatArray]) -> float:
    begin = time.process_time_ns()
    work(clips)
    return (time.process_time_ns() - begin) / 1e6 / len(clips)


def _ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    ratios = np.array(times[one]) / np.array(times[other])
    return round(float(np.median(ratios)), 2)


def _parts(path: Path) -> Iterator[FloatArray]:
    with soundfile.SoundFile(path) as file:
        if file.samplerate != SAMPLE_RATE or file.channels != 1:
            raise SystemExit(f"{path} is not mono at 16 kHz")
        while len(part := file.read(PART_S * SAMPLE_RATE, dtype="float32")):
            yield part


def _joined(clips: Sequence[FloatArray], seconds: int, folder: Path) -> Path:
    """The clips one after the other, again and again."""
    path, n, i = folder / "long.wav", 0, 0
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        while n < seconds * SAMPLE_RATE:
            for part in (clips[i % len(clips)], pause):
                file.write(part)
                n += len(part)
            i += 1
    return path


def _peak_rss_mb(model: str, paths: Sequence[Path]) -> float:
    """Of `ser-stream recognize` over the files."""
    command = [sys.executable, "-m", "ser_stream", "recognize", "--model", model]
    process = subprocess.Popen([*command, *map(str, paths)], stdout=subprocess.DEVNULL)
    peak = 0
    # What the system tells afterwards counts this process too, which it was forked of.
    while process.poll() is None:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"recognize ended with status {process.returncode}")
    return round(peak / 1024, 1)


def _say(name: str, figures: object) -> None:
    sys.stdout.write(f"{name}: {json.dumps(figures, indent=1)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
