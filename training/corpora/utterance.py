"""One labelled recording, and how its samples are read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.corpora.labels import LABELS

__all__ = [
    "LABELS",
    "UNNAMED",
    "Utterance",
    "corpus_folder",
    "corpus_of",
    "decode",
    "fault_of",
    "read_samples",
]

UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Utterance:
    """A file of a corpus with its labels."""

    corpus: str
    path: Path
    speaker: str
    """Unique within the corpus. Where its corpus does not name the speaker, it is the
    clip's own, `unnamed:CLIP`: nobody is known to have said two of them."""
    sex: str
    emotion: str
    """One of `LABELS`."""
    sentence: str
    language: str
    called: str = ""
    """The clip's name where its file's does not tell it from others (201.wav)."""

    @property
    def named(self) -> bool:
        """Whether the corpus says who speaks."""
        return not self.speaker.startswith(f"{UNNAMED}:")

    @property
    def person(self) -> str:
        """`corpus/speaker`, or `corpus/unnamed` of all whom it does not name."""
        return f"{self.corpus}/{self.speaker if self.named else UNNAMED}"

    def without_name(self) -> "Utterance":
        """The same of an unnamed speaker."""
        return replace(self, speaker=f"{UNNAMED}:{self.clip}")

    @property
    def clip(self) -> str:
        """Its name in the corpus, the same in every layout: zhaoquanyin_fear_246."""
        return self.called or self.path.stem

    @property
    def name(self) -> str:
        """`corpus/clip.suffix`, stable over machines and unique."""
        return f"{self.corpus}/{self.clip}{self.path.suffix}"


def corpus_folder(corpus: str) -> Path:
    """Where files of a corpus go, below a folder of caches or results.

    A corpus may be called by the path of its table: these files stay out of there.
    """
    path = Path(corpus)
    return Path(*(part for part in path.parts if part not in (path.anchor, "..")))


def corpus_of(person: str, corpora: Iterable[str]) -> str | None:
    """Of which of these corpora a `person` is, whose name may have a slash; or None."""
    mine = [corpus for corpus in corpora if person.startswith(f"{corpus}/")]
    return max(mine, key=len, default=None)


def decode(path: Path) -> tuple[FloatArray, int]:
    """All samples of a file, mono at its own rate, shape (n,); and the rate in Hz.

    Raises:
        OSError: if the file cannot be read as audio.
    """
    # Only reading audio needs libraries of the runtime; reading labels needs none.
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise OSError(f"{path}: {error}") from None
    mono: FloatArray = samples.mean(axis=1, dtype=np.float32)
    return mono, rate


def fault_of(samples: FloatArray) -> str | None:
    """Why nothing can be computed of such samples; None if it can."""
    if not samples.size:
        return "it holds no samples"
    if not np.isfinite(samples).all():
        return "it holds samples that are no finite numbers"
    return None


def read_samples(path: Path, sample_rate: int = SAMPLE_RATE) -> FloatArray:
    """All samples of a file, mono at 16 kHz or another rate, (n,), range [-1, 1].

    Raises:
        OSError: if the file cannot be read as audio, or has no usable samples.
    """
    import soxr

    mono, rate = decode(path)
    if fault := fault_of(mono):
        raise OSError(f"{path}: {fault}; leave it out of its corpus, or repair it")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate).astype(np.float32)
    return mono
