"""Windows as the reservoir stores them, and as bytes in a file or a pipe.

The bytes are one npz: `frames` (m, n_features) in half precision, one window after the
other; for each of n windows `lengths` in frames, `scores` (n_classes), `end`, `turn`,
`stretch`, `arrival`; and `heard`, the number of windows ever added.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import FloatArray

_NUMBERS = ("end", "turn", "stretch", "arrival")


@dataclass(frozen=True, slots=True, eq=False)
class StoredWindow:
    """A window of speech, its frames in half precision; see `SpeechWindow`."""

    frames: NDArray[np.float16]
    scores: FloatArray
    end: int
    turn: int
    stretch: int
    """Number of the turn in the reservoir; `turn` begins again with every stream."""
    arrival: int
    """Number among all windows ever added, from 0."""
    label: int
    """The class with the highest score."""


def pack(windows: Sequence[StoredWindow], n_classes: int, n_added: int) -> bytes:
    """Windows, oldest first, as bytes."""
    frames = [window.frames for window in windows] or [np.zeros((0, 0), np.float16)]
    scores = [window.scores for window in windows]
    arrays: dict[str, Any] = {
        name: np.array([getattr(window, name) for window in windows], np.int64)
        for name in _NUMBERS
    }
    arrays["frames"] = np.concatenate(frames)
    arrays["lengths"] = np.array([len(window.frames) for window in windows], np.int64)
    arrays["scores"] = np.array(scores, np.float32).reshape(-1, n_classes)
    arrays["heard"] = np.array(n_added, np.int64)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack(
    data: bytes, n_classes: int, geometry: Geometry = CPAC
) -> tuple[list[StoredWindow], int]:
    """The windows, and the number ever added.

    Raises:
        ValueError: if the bytes are damaged, or of a model with other classes.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception:  # noqa: BLE001  zipfile, zlib and numpy raise many
        raise ValueError("they are damaged, or no npz at all") from None
    if not _is_consistent(arrays, geometry):
        raise ValueError("they are damaged: parts are missing or contradict each other")
    if arrays["scores"].shape[1] != n_classes:
        raise ValueError(
            f"they are of a model with {arrays['scores'].shape[1]} classes, this one "
            f"has {n_classes}"
        )
    stops = np.cumsum(arrays["lengths"])
    return [
        StoredWindow(
            # Copies: a part of the whole would keep all of it in memory.
            arrays["frames"][stop - length : stop].copy(),
            arrays["scores"][i].copy(),
            **{name: int(arrays[name][i]) for name in _NUMBERS},
            label=int(arrays["scores"][i].argmax()),
        )
        for i, (stop, length) in enumerate(zip(stops, arrays["lengths"], strict=True))
    ], int(arrays["heard"])


def _is_consistent(arrays: dict[str, NDArray[Any]], geometry: Geometry) -> bool:
    whole = [geometry.n_frames(n + 1) for n in range(geometry.max_columns)]
    try:
        frames, scores, lengths = (arrays[n] for n in ("frames", "scores", "lengths"))
        arrivals, n_added = arrays["arrival"], arrays["heard"]
        numbers = [lengths, *(arrays[name] for name in _NUMBERS)]
        return bool(
            frames.dtype == np.float16
            and scores.dtype == np.float32
            and frames.ndim == scores.ndim == 2
            and all(one.dtype == np.int64 for one in numbers)
            and all(one.shape == (len(scores),) for one in numbers)
            and np.isin(lengths, whole).all()
            and lengths.sum() == len(frames)
            and np.isfinite(frames).all()
            and np.isfinite(scores).all()
            and (np.diff(arrivals) > 0).all()
            and n_added.shape == ()
            and int(n_added) > int(arrivals.max(initial=-1))
        )
    except (KeyError, ValueError):
        return False
