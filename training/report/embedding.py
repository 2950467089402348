"""What a network makes of clips, from the `.npz` beside a result, and its t-SNE."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from training.report.load import Run

SEED = 98
_PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True)
class Points:
    """Clips in the space of a network, or of raw MFCCs."""

    vectors: FloatArray
    """(n, 64) psi, or (n, 39) time-averaged MFCC."""
    emotion: tuple[str, ...]
    domain: NDArray[np.int_]
    """(n,): 0 source, 1 target; all 0 of a single corpus."""

    def plane(self) -> FloatArray:
        """Where t-SNE puts them, (n, 2), in no unit; seeded."""
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        # A few points allow less than the usual number of neighbours.
        tsne = TSNE(
            perplexity=min(_PERPLEXITY, (len(self.vectors) - 1) / 3),
            init="pca",
            random_state=SEED,
        )
        # Its threads meet a thousand times, and beside a training wait for each other
        # each time; one alone is fast enough, and adds in the same order everywhere.
        with threadpool_limits(1):
            return np.asarray(tsne.fit_transform(self.vectors), np.float32)


def read_points(run: Run, what: str) -> Points:
    """Read `psi` or `mfcc` beside a result.

    Raises:
        SourceError: the file beside the result is none, or lacks what is asked for.
    """
    path = run.points
    labels = next(iter(run.selections.values())).labels
    vectors, truth, domain = _read(path, what)
    if vectors.ndim != 2 or not len(vectors) == len(truth) == len(domain) > 3:
        raise _damaged(path, f"{what}, truth and domain differ in length")
    if not np.isfinite(vectors).all():
        raise _damaged(path, f"{what} is not finite")
    if not 0 <= truth.min() <= truth.max() < len(labels):
        raise _damaged(path, f"it has classes that {run.path.name} does not")
    if not set(np.unique(domain).tolist()) <= {0, 1}:
        raise _damaged(path, "a domain is neither 0, source, nor 1, target")
    return Points(vectors, tuple(labels[i] for i in truth), domain)


def _read(
    path: Path, what: str
) -> tuple[FloatArray, NDArray[np.int_], NDArray[np.int_]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            vectors = stored[what].astype(np.float32)
            truth = stored["truth"].astype(np.int_)
            if "domain" not in stored:
                return vectors, truth, np.zeros(len(truth), np.int_)
            return vectors, truth, stored["domain"].astype(np.int_)
    except KeyError as error:
        raise _damaged(path, str(error)) from error
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise _damaged(path, f"it cannot be read: {error}") from error


def _damaged(path: Path, why: str) -> SourceError:
    return SourceError(f"{path}: {why}; delete it and its JSON and run its fold again")
