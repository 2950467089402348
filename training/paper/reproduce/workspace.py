"""What experiments share: clips, features, source checkpoints, and where files go."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_stream.errors import SourceError
from ser_stream.pipeline.mfcc import MfccConfig
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance, load_corpora
from training.engine.git_revision import git_revision
from training.engine.result_store import ResultStore
from training.paper.mfcc_cache import clip_frames
from training.paper.reproduce.constants import SCHEMA
from training.paper.reproduce.frames import frames_config
from training.protocols import Fold
from training.protocols.cross import cross_folds, five_classes
from training.protocols.single import emobox_folds, paper_folds, speaker_folds

if TYPE_CHECKING:
    from training.paper.reproduce.experiment import PaperExperiment


def paper_store(results: Path, locks: Path, command: str) -> ResultStore:
    """The tree of results that `python -m training report` reads."""
    return ResultStore(results, locks, command, schema=SCHEMA)


@dataclass
class CorpusData:
    """The clips of a corpus or a pair, with their frames."""

    utterances: list[Utterance]
    frames: list[FloatArray]
    """MFCCs of each clip, (T, 39); for the rivals' networks log-mel, (T, 40)."""
    labels: list[str]
    truth: list[int]
    """Index into `labels` of each clip."""

    def parts(self, fold: Fold) -> tuple[dict[str, list[FloatArray]], dict[str, Any]]:
        """Frames and classes of the clips of a fold, by its parts."""
        return (
            {k: [self.frames[i] for i in rows] for k, rows in fold.parts.items()},
            {k: [self.truth[i] for i in rows] for k, rows in fold.parts.items()},
        )


@cache
def corpus_data(
    corpora: Path, mfccs: Path, place: str, frames: MfccConfig, *, cross: bool
) -> CorpusData:
    """Read a corpus, or the five classes that a pair of them shares; once.

    Args:
        corpora: folder of the corpora.
        mfccs: folder in which their MFCCs are kept.
        place: a corpus, or `source-target`.
        frames: which frames; CPAC's MFCCs, or others.
        cross: whether it is a pair.
    """
    utterances = load_corpora(corpora, place.split("-"))
    if cross:
        utterances = five_classes(utterances)
    labels = sorted({utterance.emotion for utterance in utterances})
    return CorpusData(
        utterances,
        clip_frames(utterances, mfccs, frames),
        labels,
        [labels.index(utterance.emotion) for utterance in utterances],
    )


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one `reproduce`."""

    corpora: Path
    results: Path
    runs: Path
    """Checkpoints of unfinished experiments, features: all of it can be made anew."""
    device: str = "auto"
    epochs: int | None = None
    """Instead of each system's own."""

    @property
    def store(self) -> ResultStore:
        return paper_store(self.results, self.runs / "locks", "reproduce")

    def data(self, of: "PaperExperiment") -> CorpusData:
        """The clips that an experiment is about; read once."""
        return corpus_data(
            self.corpora,
            self.runs / "mfcc",
            of.place,
            frames_config(of.system, of.place),
            cross=of.protocol == "cross",
        )

    def folds(self, of: "PaperExperiment") -> list[Fold]:
        utterances = self.data(of).utterances
        if of.protocol == "cross":
            return cross_folds(utterances, of.corpora[0])
        if of.protocol == "paper-10fold":
            return paper_folds(utterances, inner=of.inner)
        if of.protocol == "emobox":
            return emobox_folds(utterances)
        return speaker_folds(utterances)

    def fold(self, of: "PaperExperiment") -> Fold:
        """The experiment's own fold.

        Raises:
            SourceError: if the corpus has no such fold, or the training part of the
                fold lacks a class that its test part has.
        """
        folds = {fold.name: fold for fold in self.folds(of)}
        if of.fold == "supervised":
            # Table S5 scores a part of the target that its own runner draws.
            return folds["transductive"]
        if of.fold not in folds:
            raise SourceError(
                f"{of.place} has no {of.fold}; it has {', '.join(folds)}. "
                "`python -m training corpora` tells which speakers are missing"
            )
        fold = folds[of.fold]
        data = self.data(of)
        taught = {data.truth[i] for i in fold.train}
        unknown = {data.truth[i] for i in fold.test} - taught
        if unknown:
            names = ", ".join(data.labels[c] for c in sorted(unknown))
            raise SourceError(
                f"{of}: {names} is in the test clips but not in the training clips"
            )
        return fold

    def run_folder(self, of: "PaperExperiment") -> Path:
        return self.runs / "cells" / of.name

    def identity(self, of: "PaperExperiment", config: Any) -> dict[str, Any]:
        """What a checkpoint says of itself: settings, clips, revision."""
        return {
            "config": asdict(config),
            "clips": self._clips_hash(of),
            "revision": git_revision(),
        }

    def _clips_hash(self, of: "PaperExperiment") -> str:
        data, fold = self.data(of), self.fold(of)
        parts = {
            part: [data.utterances[i].name for i in rows]
            for part, rows in fold.parts.items()
        }
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def shared_folder(self, kind: str, identity: dict[str, object]) -> Path:
        """Where something that several experiments begin from is kept."""
        text = json.dumps(identity, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return self.runs / kind / digest
