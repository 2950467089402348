"""Logistic regression where some corpora teach some classes alone.

A clip's loss is over the classes that its corpus may speak of, so what tells the
corpora apart, rooms and microphones, says nothing about the classes. Libraries know no
such mask; without it, a corpus of happy and sad clips becomes what happy and sad are.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ser_stream.nn.masked import NEVER
from ser_stream.pipeline.values import FloatArray

ITERATIONS = 200


@dataclass(frozen=True, slots=True, eq=False)
class MaskedRegression:
    """A linear classifier."""

    weight: FloatArray
    """(n_features, n_classes)."""
    bias: FloatArray
    """(n_classes,)."""

    @staticmethod
    def fit(
        x: FloatArray,
        targets: np.ndarray,
        allowed: np.ndarray,
        weights: np.ndarray,
        c: float,
    ) -> "MaskedRegression":
        """Fit by L-BFGS.

        Args:
            x: features, (n, n_features).
            targets: class indices, (n,).
            allowed: (n, n_classes), False where a clip has no say.
            weights: of the clips, (n,).
            c: inverse strength of the quadratic penalty, as in scikit-learn's
                `LogisticRegression`, which this equals where all is allowed.
        """
        n_features, n_classes = x.shape[1], allowed.shape[1]
        true = np.eye(n_classes)[targets]

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            both = flat.reshape(n_features + 1, n_classes)
            weight, bias = both[:-1], both[-1]
            log_probs = log_softmax(np.where(allowed, x @ weight + bias, NEVER), 1)
            value = -(weights * (true * log_probs).sum(1)).sum()
            slope = weights[:, None] * (np.exp(log_probs) - true)
            gradient = np.vstack([x.T @ slope + weight / c, slope.sum(0)])
            return value + (weight**2).sum() / (2 * c), gradient.ravel()

        begin = np.zeros((n_features + 1) * n_classes)
        found = minimize(
            loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}
        )
        both = found.x.reshape(n_features + 1, n_classes)
        return MaskedRegression(both[:-1], both[-1])

    def probabilities(self, x: FloatArray) -> FloatArray:
        """(n, n_features) -> (n, n_classes), over all classes."""
        result: FloatArray = softmax(x @ self.weight + self.bias, axis=1)
        return result
