"""Whether a version stays as good as the one before: both score the same windows."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.recognizer import Recognizer, encode_window
from ser_stream.pipeline.values import SpeechWindow


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When the version before is the better one."""

    least_windows: int = 40
    """Windows before anything is decided."""
    windows: int = 200
    """The last so many count."""
    least_agreement: float = 0.35
    """Share of them that both versions must label alike."""
    entropy_rise: float = 0.25
    """Most that the mean entropy of the scores, 0 to 1, may be above that before."""
    least_entropy: float = 0.3
    """Least mean entropy, as a part of that before."""
    most_share: float = 0.8
    """Share of one class that is a collapse, ..."""
    share_rise: float = 0.3
    """... if the version before says so much less often."""


class Watch:
    """Compares the active version with the one before, on live speech.

    A window costs one run of the network over it, about 3 ms; not for the thread that
    the audio waits for.
    """

    def __init__(self, previous: Recognizer, limits: WatchLimits | None = None) -> None:
        self._previous = previous
        self._limits = limits or WatchLimits()
        # Of each window: labels now and before, entropies now and before.
        self._pairs: deque[tuple[float, ...]] = deque(maxlen=self._limits.windows)
        self._seen = 0

    def feed(self, window: SpeechWindow) -> None:
        """Score a window, whose scores are of the active version, a second time."""
        columns = encode_window(self._previous, window.frames)
        before = self._previous.scores(columns, window.speaker)
        both = np.stack([window.scores, before])
        self._pairs.append((*both.argmax(1), *entropy(both)))
        self._seen += 1

    def verdict(self) -> str | None:
        """Why the version before should be gone back to; None if it should not."""
        limits = self._limits
        if len(self._pairs) < limits.least_windows:
            return None
        figures = self._figures()
        agreement, now, before = (
            figures[name] for name in ("agreement", "entropy", "entropy_before")
        )
        if agreement < limits.least_agreement:
            return (
                f"only {100 * agreement:.0f} % of the last {len(self._pairs)} windows "
                "are called what the version before calls them; needed: "
                f"{100 * limits.least_agreement:.0f} %"
            )
        if now - before > limits.entropy_rise or now < limits.least_entropy * before:
            return (
                f"the entropy of the scores is {now:.3f} on the last "
                f"{len(self._pairs)} windows, that of the version before {before:.3f}; "
                f"allowed: {limits.entropy_rise:g} more, or {limits.least_entropy:g} "
                "of it"
            )
        share, share_before = figures["share"], figures["share_before"]
        if share > limits.most_share and share - share_before > limits.share_rise:
            return (
                f"one class takes {100 * share:.0f} % of the last {len(self._pairs)} "
                f"windows, and {100 * share_before:.0f} % by the version before; a "
                "collapse"
            )
        return None

    def status(self) -> dict[str, float]:
        figures = self._figures() if self._pairs else {}
        return {
            "windows": self._seen,
            **{name: round(value, 3) for name, value in figures.items()},
        }

    def _figures(self) -> dict[str, float]:
        # A copy: another thread may feed meanwhile.
        pairs = np.array(list(self._pairs))
        labels = pairs[:, :2].astype(int)
        share, share_before = (labels == np.bincount(labels[:, 0]).argmax()).mean(0)
        now, before = pairs[:, 2:].mean(0)
        return {
            "agreement": float((labels[:, 0] == labels[:, 1]).mean()),
            "entropy": float(now),
            "entropy_before": float(before),
            "share": float(share),
            "share_before": float(share_before),
        }


def entropy(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of scores that sum to 1 over the last axis: 0 for one class, 1 if all equal."""
    p = np.maximum(scores.astype(np.float64), 1e-12)
    result: NDArray[np.float64] = -(p * np.log(p)).sum(-1) / np.log(p.shape[-1])
    return result
