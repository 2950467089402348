"""The folder of noise recordings that are mixed under speech in training."""

import csv
from pathlib import Path

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from training.corpora.utterance import read_samples

TABLE = "manifest.csv"
VOICES = ("man_imitating", "baby_cry")
"""Beginnings of the names of recordings of voices, where no table tells them."""


def load_noises(folder: Path) -> dict[str, FloatArray]:
    """Noise recordings without voice, by the file's name; none where there are none.

    They are those of which the table says so; without a table all FLAC and WAV files.

    Raises:
        SourceError: if there is a table that cannot be read.
        OSError: if a recording cannot be read.
    """
    if (folder / TABLE).is_file():
        names = [name for name, has_voice in noise_table(folder) if not has_voice]
    else:
        names = [
            path.name
            for path in folder.glob("*")
            if path.suffix in (".flac", ".wav") and not path.stem.startswith(VOICES)
        ]
    return {name: read_samples(folder / name) for name in sorted(names)}


def noise_table(folder: Path) -> list[tuple[str, bool]]:
    """Each file that `manifest.csv` in the folder names, and whether it has a voice.

    Raises:
        SourceError: if it is not there, or lacks one of its columns, `file` and
            `contains_voice` (yes or no).
    """
    table = folder / TABLE
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [(row["file"], row["contains_voice"] != "no") for row in rows]
    except OSError as error:
        raise SourceError(
            f"cannot read {table}: {error.strerror}; noise recordings are a folder "
            "`noise` beside the corpora, with a table of them"
        ) from None
    except (KeyError, UnicodeDecodeError, csv.Error):
        raise SourceError(f"{table} needs columns file and contains_voice") from None
