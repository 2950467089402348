"""How undecided scores are."""

import numpy as np
from numpy.typing import NDArray


def entropy(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of scores that sum to 1 over the last axis: 0 for one class, 1 if all equal."""
    p = np.maximum(scores.astype(np.float64), 1e-12)
    result: NDArray[np.float64] = -(p * np.log(p)).sum(-1) / np.log(p.shape[-1])
    return result
