"""Scores that mean what they say: temperatures, and how far calibration is off."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.recognizer import clip_scores, softmax
from training.evaluation.clip_steps import ClipSteps

LEAST, MOST = 0.25, 8.0
"""Bounds of a temperature; a few clips, all of them right, would ask for 0."""
N_BINS = 10
DRAWS_AT_ONCE = 50

Scores = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into the scores of a step, and of a whole clip."""

    temperatures: tuple[float, ...] = (1.0,) * CPAC.max_columns
    """For windows of 1, 2, ... columns."""
    clip_temperature: float = 1.0
    """See `clip_scores`; the mean of a clip's steps is too timid by itself: averaging
    flattens, while a whole clip is recognised better than a step."""

    def steps(self, clip: ClipSteps) -> Scores:
        """Scores of every step, (n_steps, n_classes)."""
        t = np.array(self.temperatures)[np.array(clip.columns) - 1]
        result: Scores = softmax(np.array(clip.logits) / t[:, None])
        return result

    def whole(self, clip: ClipSteps) -> Scores | None:
        """Scores of the clip, (n_classes,), as `ser-stream recognize` gives them.

        None where the speech gate found no speech.
        """
        if not clip.columns:
            return None
        return clip_scores(self.steps(clip), clip.columns, self.clip_temperature)


def fit_calibration(
    clips: Sequence[ClipSteps], longest: int = CPAC.max_columns
) -> Calibration:
    """Temperatures of least negative log-likelihood on held-out clips.

    `longest`: columns in the longest window.
    """
    with_speech = [clip for clip in clips if clip.columns]
    if not with_speech:
        return Calibration((1.0,) * longest)
    steps = Calibration(tuple(temperatures(with_speech, longest)))
    means = np.array([steps.whole(clip) for clip in with_speech])
    truth = np.array([clip.truth for clip in with_speech])
    whole = fit_temperature(np.log(np.maximum(means, 1e-12)), truth)
    return Calibration(steps.temperatures, round(whole, 4))


def fit_temperature(logits: Scores, truth: NDArray[np.integer]) -> float:
    """The temperature of least negative log-likelihood (Guo et al., ICML 2017)."""
    grid = np.geomspace(LEAST, MOST, 121)
    losses = [_log_loss(logits / t, truth).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def temperatures(
    clips: Sequence[ClipSteps], longest: int = CPAC.max_columns
) -> list[float]:
    """Temperature for windows of 1, 2, ... columns, fitted on held-out clips.

    Two numbers are fitted, the temperatures of the shortest and of the longest window;
    in between the logarithm is linear in 1/sqrt(columns), so that the curve is smooth
    and monotone however few the clips. Each clip weighs the same, long or short. A
    fold's temperatures by window length alone were as good in likelihood and worse in
    calibration error.
    """
    pairs = [
        (logits, clip.truth, n, 1.0 / len(clip.columns))
        for clip in clips
        for n, logits in zip(clip.columns, clip.logits, strict=True)
    ]
    if not pairs:
        return [1.0] * longest
    logits, truth, columns, weight = (np.array(x) for x in zip(*pairs, strict=True))
    weight /= weight.sum()
    share = _share_of_shortest(columns, longest)

    def loss(ends: tuple[float, float]) -> float:
        log_t = share * ends[0] + (1.0 - share) * ends[1]
        fit = weight @ _log_loss(logits / np.exp(log_t)[:, None], truth)
        # Where the clips leave the slope open, it is none.
        return float(fit) + 1e-4 * (ends[0] - ends[1]) ** 2

    low, high = np.log([LEAST, MOST])
    best, reach = ((low + high) / 2, (low + high) / 2), (high - low) / 2
    while reach > 1e-3:
        grid = [np.clip(end + np.linspace(-reach, reach, 9), low, high) for end in best]
        best = min(((s, t) for s in grid[0] for t in grid[1]), key=loss)
        reach /= 3.0
    share = _share_of_shortest(np.arange(1, longest + 1), longest)
    values = np.exp(share * best[0] + (1.0 - share) * best[1])
    return [round(float(value), 4) for value in values]


def expected_calibration_error(
    scores: Scores, truth: NDArray[np.integer], n_bins: int = N_BINS
) -> float:
    """Mean |confidence - accuracy| over bins of equal mass, 0 to 1."""
    error = 0.0
    for confidence, right in bins(scores, truth, n_bins):
        error += len(right) * abs(confidence.mean() - right.mean())
    return float(error / len(truth))


def bins(
    scores: Scores, truth: NDArray[np.integer], n_bins: int = N_BINS
) -> list[tuple[Scores, NDArray[np.bool_]]]:
    """Best scores, and whether they are right, in bins of equal mass, least first."""
    order = np.argsort(scores.max(1), kind="stable")
    confidence, right = scores.max(1)[order], (scores.argmax(1) == truth)[order]
    rows = np.array_split(np.arange(len(order)), n_bins)
    return [(confidence[of], right[of]) for of in rows if len(of)]


def perfect_ece(scores: Scores, n_draws: int = 1000) -> float:
    """The calibration error that chance alone gives to perfectly calibrated scores.

    The mean over draws of labels from the scores themselves. Labels are drawn one by
    one; steps of one clip share theirs, so of steps the true value is higher, and what
    is subtracted from the measured error is too little rather than too much.

    Args:
        scores: (n, n_classes), rows of sum 1.
        n_draws: draws of all labels.

    Returns:
        0 to 1; 0 without rows.
    """
    if not len(scores):
        return 0.0
    # A label drawn from the scores is the best one with the best score's probability.
    confidence = np.sort(scores.max(1), kind="stable")
    bins = [b for b in np.array_split(np.arange(len(scores)), N_BINS) if len(b)]
    starts = [int(b[0]) for b in bins]
    rng, total = np.random.default_rng(0), 0.0
    for first in range(0, n_draws, DRAWS_AT_ONCE):
        n = min(DRAWS_AT_ONCE, n_draws - first)
        right = rng.random((n, len(scores))) < confidence
        off = np.add.reduceat(right - confidence, starts, axis=1)
        total += float(np.abs(off).sum())
    return total / n_draws / len(scores)


def calibration_errors(
    scores: Scores, truth: NDArray[np.integer], digits: int
) -> dict[str, float | None]:
    """ECE over bins of equal mass, what perfect scores would show, and the rest."""
    if not len(truth):
        return {"ECE": None, "ECE_perfect": None, "ECE_excess": None}
    ece, perfect = expected_calibration_error(scores, truth), perfect_ece(scores)
    return {
        "ECE": round(ece, digits),
        "ECE_perfect": round(perfect, digits),
        "ECE_excess": round(ece - perfect, digits),
    }


def _share_of_shortest(
    columns: NDArray[np.integer], longest: int
) -> NDArray[np.float64]:
    """1 at one column, 0 at the longest window."""
    end = longest**-0.5
    share: NDArray[np.float64] = (np.asarray(columns) ** -0.5 - end) / (1.0 - end)
    return share


def _log_loss(logits: Scores, truth: NDArray[np.integer]) -> NDArray[np.float64]:
    shifted = logits - logits.max(1, keepdims=True)
    at_truth = shifted[np.arange(len(truth)), truth]
    loss: NDArray[np.float64] = np.log(np.exp(shifted).sum(1)) - at_truth
    return loss
