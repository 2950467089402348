"""The speech in a folder of recordings, as `listen` would find it."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ser_stream.adaptation.reservoir import LEAST_WINDOWS, Reservoir
from ser_stream.commands.progress import clear_bar, share_bar
from ser_stream.errors import SourceError
from ser_stream.model import Model
from ser_stream.paths import is_folder
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.sources.recorded import length_of, read_chunks

_LOGGER = logging.getLogger(__name__)
BETWEEN = SAMPLE_RATE
"""Samples from the end of a recording to the next one: a gap, which resets all."""


@dataclass
class FolderSpeech:
    reservoir: Reservoir
    files: int = 0
    failed: int = 0
    speech_s: float = 0.0


SUFFIXES = frozenset(
    (
        *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff"),
        *(".au", ".snd", ".w64", ".caf", ".rf64", ".voc", ".sph"),
        *(".m4a", ".mp4", ".mov", ".3gp", ".aac", ".amr", ".webm", ".mka", ".mkv"),
        *(".wma", ".wv", ".ape", ".tta", ".tak", ".dsf", ".mpc", ".rm", ".ra"),
        *(".wave", ".aifc", ".m4b", ".3g2", ".weba", ".spx", ".ac3", ".ts", ".flv"),
        *(".avi", ".mpg", ".mpeg", ".m4v", ".mp1", ".bwf", ".paf", ".avr", ".8svx"),
    )
)
"""Endings of files that are taken for recordings in a folder."""


def find_recordings(folder: Path) -> list[Path]:
    """The files that look like recordings, in folders within it too, by name.

    Raises:
        SourceError: if there are none.
    """
    if not is_folder(folder):
        raise SourceError(f"{folder} is no folder; name one with recordings in it")
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not files:
        raise SourceError(
            f"there are no recordings in {folder}; allowed are files that end in "
            f"{', '.join(sorted(SUFFIXES))}"
        )
    return sorted(files)


def find_speech(files: Sequence[Path], model: Model, capacity: int) -> FolderSpeech:
    """Run recordings one after the other; one that cannot be read is logged.

    Args:
        files: recordings.
        model: with its settings.
        capacity: windows kept at most.

    Raises:
        SourceError: if there is too little speech in them to learn from.
    """
    found = FolderSpeech(Reservoir(len(model.labels), capacity))
    pipeline = model.pipeline(found.reservoir.add)
    durations = _durations(files, found)
    with share_bar(math.ceil(sum(durations.values())), "finding speech") as show:
        start = 0
        for path in durations:
            end = start
            try:
                for piece in read_chunks(path):
                    chunk = replace(piece, start=start + piece.start)
                    pipeline.feed(chunk)
                    end = chunk.end
                    show((end - BETWEEN * found.files) / SAMPLE_RATE)
            except SourceError as error:
                found.failed += 1
                clear_bar()
                _LOGGER.error("%s", error)
            found.files += 1
            start = end + BETWEEN
    pipeline.flush()
    found.speech_s = pipeline.speech_s
    if len(found.reservoir) < LEAST_WINDOWS:
        raise SourceError(
            f"too little speech to learn from: {found.speech_s:.0f} s in "
            f"{found.files} recordings, which make {len(found.reservoir)} windows of "
            f"two seconds or more; {LEAST_WINDOWS} are needed"
        )
    return found


def _durations(files: Sequence[Path], found: FolderSpeech) -> dict[Path, float]:
    """Seconds of each that can be read."""
    durations = {}
    for path in files:
        try:
            durations[path] = length_of(path)
        except SourceError as error:
            found.failed += 1
            _LOGGER.error("%s", error)
    return durations
