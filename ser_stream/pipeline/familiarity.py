"""How near a voice is to the speech that a network was trained on.

The Mahalanobis distance of its features from the mean of the training speech (Lee et
al., NeurIPS 2018, without classes), beside what is typical of that speech. It tells a
foreign language, room or way of speaking; not whether an emotion is right, of which the
scores tell as much as there is to know (docs/speakers.md).
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_stream.errors import ModelError
from ser_stream.pipeline.values import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """Where the features of the training speech lie."""

    centre: FloatArray
    """Their mean, (n_features,)."""
    whitening: FloatArray
    """By which their covariance becomes the unit matrix, (n_features, n_features)."""
    typical: float
    """Median distance of them."""

    def of(self, features: FloatArray) -> float:
        """0 to 1, of a window's features, (n_features,).

        1 where they are as near as most of the training speech; 0.5 twice as far.
        """
        white = (features - self.centre) @ self.whitening
        distance = math.sqrt(float(white @ white))
        return 1.0 if distance <= self.typical else self.typical / distance

    def of_each(self, features: FloatArray) -> list[float]:
        """The same of many windows, (n, n_features)."""
        distances = np.linalg.norm((features - self.centre) @ self.whitening, axis=1)
        return [
            1.0 if distance <= self.typical else self.typical / distance
            for distance in distances.tolist()
        ]

    @staticmethod
    def read(path: Path) -> "Familiarity | None":
        """Read the file `features.npz` of a bundle; None where it does not tell.

        Raises:
            ModelError: if the file is damaged.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                if "centre" not in file:
                    return None
                found = Familiarity(
                    file["centre"], file["whitening"], float(file["typical"])
                )
            n = len(found.centre)
            if found.whitening.shape != (n, n) or not 0 < found.typical < np.inf:
                raise ValueError
        except Exception:  # noqa: BLE001  zipfile, zlib and numpy raise many
            raise ModelError(f"{path} does not hold what is familiar") from None
        return found
