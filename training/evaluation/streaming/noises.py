"""The folder of noise recordings, and which of them a model was trained with."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.bundle_evidence import read_evidence
from ser_stream.pipeline.values import FloatArray
from training.corpora.utterance import read_samples


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """A recording without speech."""

    name: str
    samples: FloatArray
    has_voice: bool
    """A human voice all the same, as in a baby's cry."""
    seen: bool
    """Whether the model was trained with it mixed under speech."""

    def excerpt(self, n: int, rng: np.random.Generator) -> FloatArray:
        """So many samples from a random place on, looped."""
        start = int(rng.integers(len(self.samples)))
        return np.take(self.samples, np.arange(start, start + n), mode="wrap")


def training_of(bundle: Bundle) -> dict[str, Any]:
    """The configuration of the bundle's training, as its evidence holds it."""
    found: dict[str, Any] = read_evidence(bundle).get("training", {}).get("config", {})
    return found


def load_noises(folder: Path, training: dict[str, Any]) -> list[Noise]:
    """Read the recordings that `manifest.csv` in the folder names.

    Args:
        folder: has a manifest.csv with columns `file` and `contains_voice` (yes or no).
        training: see `training_of`; its `noise` names the folder whose voiceless
            recordings were mixed in.

    Raises:
        SourceError: if the table is not there, or no recording is without voice.
    """
    table = folder / "manifest.csv"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = [(row["file"], row["contains_voice"] != "no") for row in rows]
    except OSError as error:
        raise SourceError(
            f"cannot read {table}: {error.strerror}; noise recordings are a folder "
            "`noise` beside the corpora, with a table of them"
        ) from None
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise SourceError(f"{table} needs columns file and contains_voice") from None
    used = training.get("noise") == folder.name
    noises = [
        Noise(Path(name).stem, read_samples(folder / name), voice, used and not voice)
        for name, voice in found
    ]
    if all(noise.has_voice for noise in noises):
        raise SourceError(f"{table} names no recording without a voice")
    return noises
