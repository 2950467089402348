"""Clips -> features of the frozen encoders, computed once and kept on disk."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import corpus_folder, read_samples
from training.engine.array_file import Arrays, cached_arrays
from training.recipe.teacher.encoders import Encoders
from training.recipe.teacher.pretrained import WHEELS

FORMAT = 1
"""Raised when what is computed changes."""


def clip_features(
    utterances: Sequence[Utterance],
    wheels: Path,
    cache: Path,
    *,
    progress: bool = True,
) -> FloatArray:
    """Features of every clip, (n, 1536).

    Args:
        utterances: clips.
        wheels: folder of the encoders' wheels; asked for only if something is to be
            computed.
        cache: a file in it holds one clip; it is made anew when the clip's size or time
            of change, or the wheels differ.
        progress: show a progress bar.

    Raises:
        SourceError: if a wheel is needed and not there.
    """
    encoders: list[Encoders] = []

    def compute(utterance: Utterance) -> Arrays:
        if not encoders:
            encoders.append(Encoders(wheels))
        return {"features": encoders[0].features(read_samples(utterance.path))}

    def of(u: Utterance) -> FloatArray:
        return cached_arrays(_path(u, cache), lambda: compute(u))["features"]

    bar = tqdm(utterances, "teacher", unit="clip", disable=not progress)
    return np.stack([of(utterance) for utterance in bar])


def missing_features(utterances: Sequence[Utterance], cache: Path) -> int:
    """How many clips have none in the cache yet."""
    return sum(not _path(u, cache).is_file() for u in utterances)


def _path(utterance: Utterance, cache: Path) -> Path:
    folder = cache / corpus_folder(utterance.corpus)
    return folder / f"{utterance.clip}-{_key(utterance)}.npz"


def _key(utterance: Utterance) -> str:
    stat = utterance.path.stat()
    what = (FORMAT, sorted(WHEELS.values()), stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
