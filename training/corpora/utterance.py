"""One labelled recording, and how its samples are read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_stream.values import SAMPLE_RATE, FloatArray

LABELS = (
    "angry",
    "boredom",
    "calm",
    "disgust",
    "fear",
    "happy",
    "neutral",
    "sad",
    "surprise",
)
"""The common names of all corpora's emotions."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A file of a corpus with its labels."""

    corpus: str
    path: Path
    speaker: str
    """Unique within the corpus."""
    sex: str
    emotion: str
    """One of `LABELS`."""
    sentence: str
    language: str

    @property
    def name(self) -> str:
        """`corpus/file`, stable over machines."""
        return f"{self.corpus}/{self.path.name}"


def read_samples(path: Path) -> FloatArray:
    """All samples of a file, mono at 16 kHz, shape (n,), range [-1, 1].

    Raises:
        OSError: if the file cannot be read as audio.
    """
    # Only these two need libraries of the runtime; reading labels needs none.
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise OSError(f"{path}: {error}") from None
    mono: FloatArray = samples.mean(axis=1, dtype=np.float32)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE).astype(np.float32)
    return mono
