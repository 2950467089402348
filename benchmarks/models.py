"""What accuracy costs: `python -m benchmarks.models`.

CPU of one second of continuous speech for each packaged model that is free for any use
and for openSMILE's ComParE features, turn by turn on the same clips, one thread; beside
it the mean UAR on SAVEE and CASIA, which none of them ever heard. Of openSMILE that of
a linear SVM, trained on EmoDB and 252 clips of CREMA-D, scaled by the scored corpus.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import opensmile
from matplotlib.figure import Figure

from ser_stream.atomic_file import replace_file
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.corpora.utterance import read_samples

CLIPS = sorted(Path("tests/data").glob("???????.flac"))
FIGURES = Path("docs/model")
UNHEARD = ("savee", "casia")
N_ROUNDS = 5
PEER = "ComParE and SVM"


def main() -> None:
    clips = [read_samples(path) for path in CLIPS]
    seconds = sum(map(len, clips)) / SAMPLE_RATE
    ways: dict[str, Callable[[FloatArray], object]] = {
        name: Model(load_bundle(name)).recognize for name in ("open", "accurate")
    }
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, num_workers=1)
    ways[PEER] = lambda samples: smile(samples, SAMPLE_RATE)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + N_ROUNDS):
        for name, way in ways.items():
            begin = time.process_time()
            for clip in clips:
                way(clip)
            times[name].append((time.process_time() - begin) / seconds)
    result = {
        # The first round loads what is loaded late.
        name: {"cpu_s": round(float(np.median(of[1:])), 4), "UAR": round(_uar(name), 1)}
        for name, of in times.items()
    }
    replace_file(FIGURES / "models.json", json.dumps(result, indent=1) + "\n")
    _draw(result)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


def _uar(name: str) -> float:
    file = f"{'open-before' if name == PEER else name}-unseen.json"
    corpora = json.loads((FIGURES / file).read_text(encoding="utf-8"))["corpora"]
    of = [
        corpora[c]["svm"]["own-scale"] if name == PEER else corpora[c] for c in UNHEARD
    ]
    return float(np.mean([one["UAR"] for one in of]))


def _draw(result: dict[str, dict[str, float]]) -> None:
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, row in result.items():
        axes.plot(100 * row["cpu_s"], row["UAR"], "o")
        axes.annotate(
            name,
            (100 * row["cpu_s"], row["UAR"]),
            textcoords="offset points",
            xytext=(6, 4),
        )
    axes.set(
        xscale="log",
        xlabel="CPU on speech, % of a core",
        ylabel="UAR on SAVEE and CASIA, %, chance 20",
        ylim=(20, 60),
    )
    axes.margins(x=0.3)
    figure.savefig(FIGURES / "models.png", dpi=100)


if __name__ == "__main__":
    main()
