"""The folder of noise recordings, and which of them a model was trained with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.bundle_evidence import read_evidence
from ser_stream.pipeline.values import FloatArray
from training.corpora.utterance import read_samples
from training.recipe.noise_recordings import TABLE, noise_table


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
    """The configuration of the bundle's training, as its evidence holds it.

    Where the evidence tells, also `noises`: what recordings were mixed in.
    """
    training = read_evidence(bundle).get("training", {})
    named = {key: training[key] for key in ("noises",) if key in training}
    return {**training.get("config", {}), **named}


def load_noises(folder: Path, training: dict[str, Any]) -> list[Noise]:
    """Read the recordings that `manifest.csv` in the folder names.

    Args:
        folder: has a manifest.csv with columns `file` and `contains_voice` (yes or no).
        training: see `training_of`; its `noise` names the folder whose recordings
            were mixed in: `noises`, or where that is not told all voiceless ones.

    Raises:
        SourceError: if the table is not there, or no recording is without voice.
    """
    found = noise_table(folder)
    mixed: list[str] = []
    if training.get("noise") == folder.name:
        plain = [name for name, voice in found if not voice]
        mixed = training.get("noises", plain)
    noises = [
        Noise(Path(name).stem, read_samples(folder / name), voice, name in mixed)
        for name, voice in found
    ]
    if all(noise.has_voice for noise in noises):
        raise SourceError(f"{folder / TABLE} names no recording without a voice")
    return noises
