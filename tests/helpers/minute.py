"""The utterances of the bundled minute, and corpora cut from them."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from tests.helpers.paths import MINUTE

WOMEN = ("08", "09", "13", "14", "16")


@dataclass(frozen=True, eq=False)
class Said:
    """One utterance; EmoDB's name, speaker and emotion."""

    name: str
    speaker: str
    emotion: str
    samples: FloatArray

    @property
    def sex(self) -> str:
        return "female" if self.speaker in WOMEN else "male"

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@cache
def utterances_of_the_minute() -> tuple[Said, ...]:
    """All 16, of five emotions, in their order."""
    samples: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    samples.flags.writeable = False
    with MINUTE.with_suffix(".csv").open(newline="") as file:
        return tuple(
            Said(
                Path(row["file"]).stem,
                row["speaker"],
                row["emotion"],
                samples[_sample(row["start_ms"]) : _sample(row["end_ms"])],
            )
            for row in csv.DictReader(file)
        )


def _sample(milliseconds: str) -> int:
    return round(float(milliseconds) * SAMPLE_RATE / 1000)


def halves(said: Iterable[Said]) -> list[Said]:
    """Each utterance cut in two."""
    return [
        replace(one, name=f"{one.name}{part}", samples=samples)
        for one in said
        for part, samples in enumerate(np.array_split(one.samples, 2))
    ]


def write_corpus(folder: Path, said: Iterable[Said]) -> Path:
    """A corpus as a table and its clips."""
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "speaker", "sex", "emotion"])
        for one in said:
            name = f"{one.name}.wav"
            soundfile.write(folder / name, one.samples, SAMPLE_RATE)
            writer.writerow([name, one.speaker, one.sex, one.emotion])
    return folder
