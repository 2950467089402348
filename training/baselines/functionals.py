"""Recordings -> openSMILE functionals, one vector for a clip, cached on disk.

Sets: ComParE 2016 (Schuller et al., Interspeech 2016; 6373 values) and eGeMAPS v02
(Eyben et al., IEEE Trans. Affective Computing 7, 2016; 88 values).
"""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ser_stream.atomic_file import replacing
from ser_stream.errors import ConfigError, SourceError
from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.baselines.libraries import library
from training.corpora.utterance import Utterance, read_samples

FEATURE_SETS = {"compare": ("ComParE_2016", 6373), "egemaps": ("eGeMAPSv02", 88)}
"""openSMILE's name of each set, and its number of values."""


def functionals(
    utterances: Sequence[Utterance],
    feature_set: str,
    cache: Path,
    progress: bool = True,
) -> FloatArray:
    """One vector for each utterance, shape (n, 6373) or (n, 88).

    Each clip has a file of its own in `cache`, named after the bytes of the recording:
    whatever was computed before a stop is found again, a changed recording is computed
    anew, and processes may share the folder.

    Args:
        utterances: clips to describe; read at 16 kHz, whole.
        feature_set: `compare` or `egemaps`.
        cache: folder for the vectors; made if need be.
        progress: show a progress bar while there is something to compute.

    Raises:
        ConfigError: for another `feature_set`.
        SourceError: if a recording cannot be read, or is too short for openSMILE.
        MissingLibraryError: if the package opensmile is needed and not installed.
    """
    if feature_set not in FEATURE_SETS:
        raise ConfigError(
            f"feature_set is {feature_set!r}; allowed: {', '.join(FEATURE_SETS)}"
        )
    name, width = FEATURE_SETS[feature_set]
    folder = cache / name
    folder.mkdir(parents=True, exist_ok=True)
    places = [folder / _file_name(u) for u in utterances]
    result = np.empty((len(utterances), width), np.float32)
    missing = []
    for i, place in enumerate(places):
        found = _load(place, width)
        if found is None:
            missing.append(i)
        else:
            result[i] = found
    if missing:
        smile = _extractor(name)
        for i in tqdm(missing, desc=name, unit="clip", disable=not progress):
            result[i] = _extract(smile, utterances[i].path)
            _save(places[i], result[i])
    return result


def _file_name(utterance: Utterance) -> str:
    try:
        content = utterance.path.read_bytes()
    except OSError as error:
        raise SourceError(f"{utterance.path} cannot be read: {error}") from None
    return f"{utterance.path.stem}-{hashlib.sha256(content).hexdigest()[:16]}.npy"


def _load(place: Path, width: int) -> FloatArray | None:
    try:
        found: FloatArray = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    # What another program left here, or a full disk, is computed again.
    return found if found.shape == (width,) and np.isfinite(found).all() else None


def _save(place: Path, values: FloatArray) -> None:
    with replacing(place) as part, part.open("wb") as file:
        np.save(file, values)


def _extractor(name: str) -> Any:
    opensmile = library("opensmile")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[name],
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )


def _extract(smile: Any, path: Path) -> FloatArray:
    try:
        samples = read_samples(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}") from None
    with warnings.catch_warnings():
        # openSMILE warns of too few samples and answers NaN, which is said below.
        warnings.simplefilter("ignore")
        values: FloatArray = np.ravel(smile(samples, SAMPLE_RATE)).astype(np.float32)
    if not np.isfinite(values).all():
        raise SourceError(
            f"{path}: openSMILE has no finite values for its "
            f"{len(samples) / SAMPLE_RATE:.3f} s; leave the clip out or repair it"
        )
    return values
