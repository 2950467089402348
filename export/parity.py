"""Proof that the incremental graphs compute what the whole network does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from ser_stream.errors import ModelError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.front_end import frames_of
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray
from ser_stream.pipeline.window import ColumnWindow

TOLERANCE = 1e-4
"""Largest allowed difference of logits."""
BLOCKS_PER_STEP = 2
SHIFTED_EVERY = 5
"""Steps to the next that is shifted too, which costs as much as the step itself."""


@dataclass(frozen=True, slots=True)
class Parity:
    """What was measured; stored in the evidence."""

    clips: int
    steps: int
    max_logit_difference: float
    labels_equal: bool
    median_distance_between_clips: float
    """Largest logit difference between two clips' last windows, median over pairs."""
    median_difference_when_shifted: float
    """The same network on frames shifted by half a column, against the graphs."""

    @property
    def passed(self) -> bool:
        """Exact, on a network that tells clips apart, and only without a shift."""
        return (
            self.max_logit_difference <= TOLERANCE
            and self.labels_equal
            and self.median_distance_between_clips >= 1000 * self.max_logit_difference
            and self.median_difference_when_shifted > 10 * TOLERANCE
        )

    def to_dict(self) -> dict[str, float | int | bool]:
        return {**asdict(self), "tolerance": TOLERANCE, "passed": self.passed}


def incremental_logits(
    frames: FloatArray, recognizer: OnnxRecognizer
) -> list[tuple[int, int, FloatArray]]:
    """First column, number of columns and logits of every step, as the runtime does."""
    window = ColumnWindow(n_features=frames.shape[1], geometry=recognizer.geometry)
    steps = []
    window.begin(0)
    # With CPAC the first block of a stream completes six frames, every other one eight.
    frame = recognizer.geometry.frame
    n = frame.frames_per_block
    for block, end in enumerate(range(n + frame.complete, len(frames) + n, n)):
        first = max(0, end - n)
        window.push(first, frames[first:end])
        if block % BLOCKS_PER_STEP or window.newest < 0:
            continue
        pending = window.pending()
        if pending is not None:
            window.add(*recognizer.encode(pending, window.state))
            start = window.newest + 1 - len(window.columns)
            logits = recognizer.logits(window.columns)
            steps.append((start, len(window.columns), logits))
    return steps


@torch.no_grad()
def whole_logits(
    model: Cpac, frames: FloatArray, start: int, n: int, shift: int = 0
) -> FloatArray:
    """The whole network on the frames of columns start to start + n - 1."""
    geometry = model.config.geometry
    first = geometry.frames_per_column * start + shift
    cut = frames[first : first + geometry.n_frames(n)]
    logits: FloatArray = model(torch.from_numpy(cut)[None])[0].numpy()
    return logits


def prove_parity(
    model: Cpac, bundle: Bundle, clips: Sequence[tuple[Path, FloatArray]]
) -> Parity:
    """Compare on real clips.

    Raises:
        ModelError: if fewer than two clips are long enough.
    """
    recognizer, geometry = OnnxRecognizer(bundle), bundle.geometry
    # Half a column. So shifted, parity must fail, or the proof proves nothing.
    shift = geometry.frames_per_column // 2
    model.eval()
    differences, shifted, last = [], [], []
    labels_equal, n_steps = True, 0
    for _, samples in clips:
        frames = frames_of(samples, bundle.front_end)
        steps = incremental_logits(frames, recognizer)
        if not steps:
            continue
        for number, (start, n, logits) in enumerate(steps):
            whole = whole_logits(model, frames, start, n)
            differences.append(float(np.abs(whole - logits).max()))
            labels_equal &= bool(whole.argmax() == logits.argmax())
            if number % SHIFTED_EVERY:
                continue
            if geometry.n_frames(start + n) + shift <= len(frames):
                moved = whole_logits(model, frames, start, n, shift)
                shifted.append(float(np.abs(moved - logits).max()))
        n_steps += len(steps)
        last.append(steps[-1][2])
    if len(last) < 2:
        raise ModelError("parity needs at least two clips longer than 0.6 s")
    distances = [float(np.abs(a - b).max()) for a, b in combinations(last, 2)]
    return Parity(
        clips=len(last),
        steps=n_steps,
        max_logit_difference=max(differences),
        labels_equal=labels_equal,
        median_distance_between_clips=float(np.median(distances)),
        median_difference_when_shifted=float(np.median(shifted)),
    )
