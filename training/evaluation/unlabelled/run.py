"""Every corpus that a bundle never heard, each mix of classes, each seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.recognizer import clip_scores, softmax
from training.corpora import Utterance, load_corpora
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result, ResultStore
from training.engine.run_experiments import each_result
from training.evaluation.bootstrap import Counts, Draws, of_draws, rounded
from training.evaluation.clip_steps import of_labels
from training.evaluation.heard_clip import HeardClip
from training.evaluation.told.backprop_free import Scorer
from training.evaluation.told.voices import Voices
from training.evaluation.unlabelled.clip_frames import ClipFrames, clip_frames
from training.evaluation.unlabelled.feature_change import METHODS, Source
from training.evaluation.unlabelled.networks import (
    HEADS,
    NETWORKS,
    ROUNDS,
    Begun,
    networks,
    source_features,
)
from training.evaluation.unlabelled.rooms import MIXES, Room, Rows, rooms

CORPORA = ("savee", "casia", "ravdess")
NOTHING = "nothing known of the speaker"
MEAN = "the speaker's mean alone"
PARTS = {
    "features": (NOTHING, MEAN, *METHODS),
    "networks": (NOTHING, MEAN, *NETWORKS),
    "head": (NOTHING, MEAN, *HEADS),
}
"""What a cell is of: the second takes many times as long as the first."""


@dataclass(frozen=True, slots=True)
class UnlabelledRun:
    """What is measured, and where it goes."""

    model: str
    sha256: str
    """Of the bundle."""
    corpora: Path
    out: Path
    runs: Path
    seeds: tuple[int, ...] = (98,)

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.out, self.runs, "unlabelled", option="--out")


@dataclass(frozen=True, slots=True)
class UnlabelledCell(Experiment[UnlabelledRun]):
    """One corpus, one mix of what is heard, one draw; features or networks."""

    corpus: str
    mix: str
    seed: int
    part: str

    @property
    def name(self) -> str:
        kind = "neutral" if self.mix == MIXES[1] else self.mix
        return f"{self.part}/{self.corpus}-{kind}-seed-{self.seed}"

    def config(self, space: UnlabelledRun) -> Result:
        return {
            "model": space.model,
            "bundle_sha256": space.sha256,
            "corpus": self.corpus,
            "mix": self.mix,
            "seed": self.seed,
            "part": self.part,
            "rounds": ROUNDS,
        }

    def compute(self, space: UnlabelledRun, progress: Progress) -> Result:
        begun = Begun.of(space.model)
        labels = begun.bundle.labels
        of_corpus = load_corpora(space.corpora, [self.corpus])
        clips = of_labels(of_corpus, self.corpus, labels)
        bundle = begun.bundle
        frames = clip_frames(
            clips, labels, bundle.front_end, bundle.geometry, bundle.step_s
        )
        base = begun.network()
        source = begun.source()
        assert begun.layer.emotions is not None
        of_source = source_features(base, source)
        known = Source.of(begun.layer.emotions, of_source, source.label, source.speaker)
        names = PARTS[self.part]
        said = np.full((len(names), len(clips)), -1)
        scored: list[int] = []
        told = []
        for number, room in enumerate(rooms(clips, self.corpus, self.mix, self.seed)):
            scene = _Scene(clips, frames, room, labels)
            scored += room.scored.tolist()
            found, about = scene.plain(begun.layer, base)
            if self.part == "features":
                found |= scene.by_features(begun.layer, base, known)
            else:
                folder = space.runs / self.name
                learned, more = scene.by_networks(
                    begun, folder, self.seed, found[MEAN], names
                )
                found, about = found | learned, about | more
                progress.say(f"{self.name}, room {number + 1}: {more}")
            said[:, room.scored] = [found[name] for name in names]
            told.append(about)
        rows = np.array(sorted(scored))
        return {
            "protocol": (
                "half of the clips of each speaker and class may be heard, in the mix; "
                "the others are scored, whole, through the streaming pipeline (a clip "
                "without speech is wrong); the mean of the speaker is that of the own "
                "clips heard, by every network's own features"
            ),
            "rooms": told,
            **_counted(clips, rows, {n: said[k] for k, n in enumerate(names)}, labels),
        }


def _counted(
    clips: Sequence[Utterance],
    rows: np.ndarray,
    said: Mapping[str, np.ndarray],
    labels: Sequence[str],
) -> Result:
    """Clips of each speaker and class, and how many of them each method has right."""
    of = (
        [clips[i].speaker for i in rows],
        [labels.index(clips[i].emotion) for i in rows],
    )
    every = {
        name: Counts.of(of[1], found[rows].tolist(), of[0], len(labels))
        for name, found in said.items()
    }
    one = every[MEAN]
    return {
        "speakers": list(one.speakers),
        "clips": one.total.astype(int).tolist(),
        "right": {k: v.right.astype(int).tolist() for k, v in every.items()},
    }


class _Scene:
    """One room: what every method says of the clips that are scored."""

    def __init__(
        self,
        clips: Sequence[Utterance],
        frames: Sequence[ClipFrames],
        room: Room,
        labels: tuple[str, ...],
    ) -> None:
        self._clips, self._frames, self._room = clips, frames, room
        self._labels = labels
        self._speakers = np.array([clip.speaker for clip in clips])

    def plain(
        self, layer: LastLayer, base: Cpac
    ) -> tuple[dict[str, list[int]], Result]:
        """Classes of what is scored, without any method; and what is in the room."""
        heard = self._heard_by(base)
        found = {
            NOTHING: self._by_layer(heard, layer, told=False),
            MEAN: self._by_layer(heard, layer),
        }
        return found, {"heard": len(self._room.heard)}

    def by_networks(
        self,
        begun: Begun,
        folder: Path,
        seed: int,
        before: list[int],
        names: Sequence[str],
    ) -> tuple[dict[str, list[int]], Result]:
        """The same by the networks of the room, and what became of the rounds.

        Without a round, or with one that was refused, it is as `before`.
        """
        order = [self._clips[i] for i in self._room.heard]
        learned, about = networks(begun, order, folder, seed, names)
        found = dict.fromkeys((*NETWORKS, *HEADS), before)
        for name, one in learned.items():
            layer = begun.layer_of(one.network, emotions=one.emotions)
            found[name] = self._by_layer(self._heard_by(one.network), layer)
        return found, about

    def _heard_by(self, network: Cpac) -> dict[int, HeardClip]:
        rows = np.concatenate([self._room.heard, self._room.scored])
        return {int(i): self._frames[i].heard_by(network) for i in rows}

    def _means(
        self, heard: Mapping[int, HeardClip], layer: LastLayer
    ) -> dict[str, np.ndarray]:
        """Of every speaker in the room, shrunk as the daemon does."""
        found = {}
        rows = [i for i in self._room.heard.tolist() if heard[i].columns]
        for speaker in np.unique(self._speakers[self._room.scored]):
            own = [i for i in rows if self._speakers[i] == speaker]
            voices = Voices(
                layer,
                self._labels,
                [heard[i] for i in own],
                np.array([heard[i].mean for i in own]),
                np.zeros(len(own), np.intp),
                self._speakers[own],
            )
            found[str(speaker)] = voices.mean_of(np.arange(len(own)))
        return found

    def _by_layer(
        self, heard: Mapping[int, HeardClip], layer: LastLayer, *, told: bool = True
    ) -> list[int]:
        means = self._means(heard, layer) if told else {}
        return [
            _decide(
                heard[i], layer.logits, means.get(self._clips[i].speaker, layer.mean)
            )
            for i in self._room.scored.tolist()
        ]

    def by_features(
        self, layer: LastLayer, base: Cpac, known: Source
    ) -> dict[str, list[int]]:
        """The same by every method that leaves the network as it is."""
        heard = self._heard_by(base)
        means = self._means(heard, layer)
        rows: Rows = np.array([i for i in self._room.heard if heard[i].columns])
        centred = np.array(
            [heard[i].mean - means[self._clips[i].speaker] for i in rows], np.float32
        )
        found = {}
        for name, method in METHODS.items():
            score = method(layer, centred, known)
            found[name] = [
                _decide(heard[i], score, means[self._clips[i].speaker])
                for i in self._room.scored.tolist()
            ]
        return found


def _decide(clip: HeardClip, score: Scorer, mean: np.ndarray) -> int:
    """The class of a clip; -1 without speech."""
    if not clip.columns:
        return -1
    logits = score(clip.features - mean)
    return int(clip_scores(softmax(logits), clip.columns, 1.0).argmax())


def unlabelled(
    space: UnlabelledRun,
    names: Sequence[str] = CORPORA,
    parts: Sequence[str] = tuple(PARTS),
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Every cell; what is done is not computed again."""
    cells = [
        UnlabelledCell(name, mix, seed, part)
        for part in parts
        for seed in space.seeds
        for name in names
        for mix in MIXES
    ]
    found = []
    for cell, result in each_result(cells, space):
        assert result is not None
        say(f"{cell.name}: done")
        found.append(result)
    return found


def gains(found: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """By mix and method: UAR and gain over the mean alone, of each corpus and of all.

    Draws of speakers are the same before and after; seeds are averaged. Corpora are
    drawn apart, and the mean is over them.
    """
    table: dict[str, dict[str, Any]] = {}
    for mix in MIXES:
        of_mix = [one for one in found if one["config"]["mix"] == mix]
        methods = dict.fromkeys(m for one in of_mix for m in one["right"])
        table[mix] = {method: _of_method(of_mix, method) for method in methods}
    return table


def _of_method(of_mix: Sequence[Result], method: str) -> dict[str, Any]:
    cells = _cells(of_mix, method)
    names = list(dict.fromkeys(one["config"]["corpus"] for one in cells))
    row: dict[str, Any] = {}
    every: list[Draws] = []
    for k, name in enumerate(names):
        mine = [one for one in cells if one["config"]["corpus"] == name]
        pairs = [(_counts(c, method), _counts(c, MEAN)) for c in mine]
        changes = [a.draws("UAR", k) - b.draws("UAR", k) for a, b in pairs]
        every.append(np.mean(changes, axis=0))
        uar = float(np.mean([a.value("UAR") for a, _ in pairs]))
        before = float(np.mean([b.value("UAR") for _, b in pairs]))
        row[name] = _row(uar, uar - before, every[-1])
    if not names:
        return row
    uar = sum(of["UAR"] for of in row.values()) / len(names)
    gain = sum(of["gain"] for of in row.values()) / len(names)
    row["mean"] = _row(uar, gain, np.asarray(np.mean(every, axis=0)))
    return row


def _cells(of_mix: Sequence[Result], method: str) -> list[Result]:
    """Those that tell of a method, one for each corpus and seed.

    A corpus in whose rooms no round could begin tells nothing of networks.
    """
    learns = method in NETWORKS or method in HEADS
    began = {
        one["config"]["corpus"]
        for one in of_mix
        if any(isinstance(room.get("windows"), int) for room in one["rooms"])
    }
    found = {
        (one["config"]["corpus"], one["config"]["seed"]): one
        for one in of_mix
        if method in one["right"]
        if not learns or one["config"]["corpus"] in began
    }
    return list(found.values())


def _row(uar: float, gain: float, draws: Draws) -> dict[str, Any]:
    return {
        "UAR": round(uar, 1),
        "gain": round(gain, 1),
        "interval": rounded(of_draws(draws, 2), 1),
    }


def _counts(cell: Mapping[str, Any], method: str) -> Counts:
    right, clips = np.array(cell["right"][method]), np.array(cell["clips"])
    return Counts(tuple(cell["speakers"]), right.astype(float), clips.astype(float))


def lines(found: Sequence[Result]) -> Iterator[str]:
    """A Markdown table for each mix."""
    for mix, methods in gains(found).items():
        some = [name for row in methods.values() for name in row if name != "mean"]
        names = [*dict.fromkeys(some), "mean"]
        yield f"heard: {mix}"
        yield "| | " + " | ".join(names) + " |"
        yield "| --- |" + " --- |" * len(names)
        for method, row in methods.items():
            cells = [_cell(row[name], method) if name in row else "-" for name in names]
            yield f"| {method} | " + " | ".join(cells) + " |"


def _cell(of: Mapping[str, Any], method: str) -> str:
    """UAR; but for the reference also the gain over it, with its interval."""
    if method == MEAN or of["interval"] is None:
        return f"{of['UAR']:.1f}"
    low, high = of["interval"]
    return f"{of['UAR']:.1f}: {of['gain']:+.1f} ({low:+.1f} to {high:+.1f})"
