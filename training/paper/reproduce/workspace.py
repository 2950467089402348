"""What cells share: clips, features, source checkpoints, and where files go."""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.engine.git_revision import git_revision
from training.paper.mfcc_cache import clip_frames
from training.paper.reproduce.cells import Cell
from training.protocols import Fold
from training.protocols.cross import cross_folds, five_classes
from training.protocols.single import emobox_folds, paper_folds, speaker_folds


@dataclass
class CorpusData:
    """The clips of a corpus or a pair, with their frames."""

    utterances: list[Utterance]
    frames: list[FloatArray]
    """MFCCs of each clip, (T, 39)."""
    labels: list[str]
    truth: list[int]
    """Index into `labels` of each clip."""


@dataclass
class Workspace:
    """The folders of one `reproduce`."""

    corpora: Path
    results: Path
    runs: Path
    """Checkpoints of unfinished cells, features: all of it can be made anew."""
    device: str = "auto"
    epochs: int | None = None
    """Instead of each system's own."""
    revision: str = field(default_factory=git_revision)
    """Of the code, when the command began."""
    _places: dict[str, CorpusData] = field(default_factory=dict)

    def place(self, cell: Cell) -> CorpusData:
        """The clips that a cell is about; read once."""
        key = f"{cell.protocol == 'cross'} {cell.place}"
        if key not in self._places:
            utterances = load_corpora(self.corpora, cell.corpora)
            if cell.protocol == "cross":
                utterances = five_classes(utterances)
            labels = sorted({utterance.emotion for utterance in utterances})
            self._places[key] = CorpusData(
                utterances,
                clip_frames(utterances, self.runs / "mfcc", progress=False),
                labels,
                [labels.index(utterance.emotion) for utterance in utterances],
            )
        return self._places[key]

    def folds(self, cell: Cell) -> list[Fold]:
        """All folds of the cell's protocol at its place."""
        utterances = self.place(cell).utterances
        if cell.protocol == "cross":
            folds = cross_folds(utterances, cell.corpora[0])
        elif cell.protocol == "paper-10fold":
            folds = paper_folds(utterances, inner=cell.inner)
        elif cell.protocol == "emobox":
            folds = emobox_folds(utterances)
        else:
            folds = speaker_folds(utterances)
        return folds

    def fold(self, cell: Cell) -> Fold:
        """The cell's own fold.

        Raises:
            SourceError: if the corpus has no such fold, or the training part of the
                fold lacks a class that its test part has.
        """
        folds = {fold.name: fold for fold in self.folds(cell)}
        if cell.fold == "supervised":
            # Table S5 scores a part of the target that its own runner draws.
            return folds["transductive"]
        if cell.fold not in folds:
            raise SourceError(
                f"{cell.place} has no {cell.fold}; it has {', '.join(folds)}. "
                "`python -m training corpora` tells which speakers are missing"
            )
        fold = folds[cell.fold]
        place = self.place(cell)
        taught = {place.truth[i] for i in fold.train}
        unknown = {place.truth[i] for i in fold.test} - taught
        if unknown:
            names = ", ".join(place.labels[c] for c in sorted(unknown))
            raise SourceError(
                f"{cell}: {names} is in the test clips but not in the training clips"
            )
        return fold

    def run_folder(self, cell: Cell) -> Path:
        """Where an unfinished cell keeps its checkpoint."""
        return self.runs / "cells" / cell.path.with_suffix("")

    def lock_folder(self, cell: Cell) -> Path:
        """What a process holds while it computes the cell; never deleted."""
        name = f"{self.results.resolve()}/{cell.path}"
        return self.runs / "locks" / hashlib.sha256(name.encode()).hexdigest()[:16]

    def identity(self, cell: Cell, config: dict[str, Any]) -> dict[str, Any]:
        """What a checkpoint of the cell says of itself: settings, clips, revision."""
        return {
            "config": config,
            "clips": self._clips_hash(cell),
            "revision": self.revision,
        }

    def _clips_hash(self, cell: Cell) -> str:
        place, fold = self.place(cell), self.fold(cell)
        parts = {
            part: [place.utterances[i].name for i in getattr(fold, part)]
            for part in ("train", "validation", "adapt", "test")
        }
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def shared_folder(self, kind: str, identity: dict[str, object]) -> Path:
        """Where something that several cells begin from is kept."""
        text = json.dumps(identity, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return self.runs / kind / digest


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a folder for this process; freed by the system when the process dies.

    Yields:
        Whether it is held; False only if `wait` is false and another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
