"""Arrays that a program holds -> chunks, piece by piece."""

import numpy as np
from numpy.typing import ArrayLike

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources.decoders import MAX_CHANNELS, MAX_RATE, MIN_RATE
from ser_stream.sources.intake import Intake


class ArrayInput:
    def __init__(self) -> None:
        self._intake: Intake | None = None

    def feed(self, samples: ArrayLike, rate: int) -> Chunk:
        """The next samples, (n,) or (n, channels); they are copied.

        Raises:
            SourceError: if rate, shape or type is none that is allowed or is not that
                of the samples before, or a sample is NaN or infinite; nothing was
                taken then.
        """
        frames = _frames(samples)
        kind = (rate, frames.shape[1])
        if not MIN_RATE <= rate <= MAX_RATE:
            raise SourceError(f"rate is {rate} Hz; allowed: {MIN_RATE} to {MAX_RATE}")
        intake = self._intake or Intake("array", *kind)
        if kind != intake.kind:
            raise SourceError(
                f"this stream began with {_said(intake.kind)}, and now comes "
                f"{_said(kind)}; call reset() first, or give it a stream of its own"
            )
        _check_finite(frames, intake.taken)
        (chunk,) = intake.take(frames)
        self._intake = intake
        return chunk

    def finish(self) -> Chunk:
        """What the resampler still holds at the end."""
        if self._intake is None:
            return Chunk(0, np.zeros(0, np.float32))
        _, channels = self._intake.kind
        (chunk,) = self._intake.take(np.zeros((0, channels), np.float32), last=True)
        return chunk


def _frames(samples: ArrayLike) -> FloatArray:
    try:
        given = np.asarray(samples)
    except ValueError as error:
        raise SourceError(f"samples are no array: {error}") from None
    frames = given[:, None] if given.ndim == 1 else given
    if frames.ndim != 2 or not 1 <= frames.shape[1] <= MAX_CHANNELS:
        raise SourceError(
            f"samples have shape {given.shape}; allowed: (n,), or (n, channels) of 1 "
            f"to {MAX_CHANNELS} channels"
        )
    is_int16 = given.dtype == np.int16
    if not is_int16 and not np.issubdtype(given.dtype, np.floating):
        raise SourceError(
            f"samples are {given.dtype}; allowed: floats from -1 to 1, or int16"
        )
    # A copy: what waits for its step must not change with the caller's buffer.
    result: FloatArray = frames.astype(np.float32)
    return result / np.float32(32768) if is_int16 else result


def _check_finite(frames: FloatArray, taken: int) -> None:
    # Where a program errs it should hear of it; in a file they are a gap.
    wrong = np.flatnonzero(~np.isfinite(frames).all(axis=1))
    if len(wrong):
        raise SourceError(
            f"array: sample {taken + int(wrong[0])} is not a number (NaN or infinite); "
            "the audio is damaged"
        )


def _said(kind: tuple[int, int]) -> str:
    rate, channels = kind
    return f"{rate} Hz in {channels} channel{'s' * (channels > 1)}"
