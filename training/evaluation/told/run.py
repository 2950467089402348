"""Every scene on every corpus left out: UAR, and the gain over knowing nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.last_layer import LastLayer
from training.corpora import load_corpora
from training.engine.experiment import Progress
from training.engine.result_store import Result
from training.engine.run_experiments import each_result
from training.evaluation.bootstrap import Counts
from training.evaluation.clip_steps import of_labels
from training.evaluation.loco import LocoFold, LocoRun
from training.evaluation.told.backprop_free import METHODS
from training.evaluation.told.scenes import (
    HEARD,
    NOTHING,
    SHOWN,
    Known,
    heard_before,
    shown_before,
)
from training.evaluation.told.voices import Voices
from training.recipe.feature_space import emotions_of, last_layer_of
from training.recipe.speaker_memory import draw_mostly
from training.recipe.train import training_set

DRAWS = 3
"""How often each scene is drawn; its clips count once for each."""
LEAST_NEUTRAL = 10
"""With fewer neutral clips there is no hearing that is mostly neutral."""
N_UNLABELLED = 60
"""Clips that are heard before a method without labels is scored."""
Said = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
"""Clips that are scored, what is said of them, and what without knowing anything."""


@dataclass(frozen=True, slots=True)
class ToldFold(LocoFold):
    """A corpus left out, and all scenes on it."""

    def last_layer(self, space: LocoRun, model: Cpac) -> LastLayer:
        """Of the network, with what emotions do to its features in training."""
        config = self.settings(space)
        utterances = load_corpora(space.corpora, [c.name for c in config.corpora])
        data = training_set(model, utterances, config, space.options)
        of_emotions = emotions_of(model, data, progress=space.options.progress)
        return last_layer_of(model, of_emotions)

    def compute(self, space: LocoRun, progress: Progress) -> Result:
        """See `Experiment`."""
        config = self.settings(space)
        model = self.network(space)
        moved_by = self.recentre(space, model) if space.recentred else []
        of_corpus = load_corpora(space.corpora, [self.corpus])
        clips = of_labels(of_corpus, self.corpus, config.labels)
        options = space.options
        layer = self.last_layer(space, model)
        voices = Voices.of(
            model, layer, config, clips, options.columns, progress=options.progress
        )
        return {
            "protocol": (
                f"trained on {', '.join(c.name for c in config.corpora)}, last epoch; "
                "what an unknown voice is taken for moved as on "
                f"{', '.join(moved_by) or 'no corpus'}; whole clips with speech "
                f"through the streaming pipeline; each scene drawn {DRAWS} times from "
                f"seed {config.seed}; gains over the same network, told nothing, on "
                "the same clips; intervals: 95 %, bootstrap over speakers; without "
                f"labels: {N_UNLABELLED} clips of the corpus heard, or half of it"
            ),
            "n": len(voices),
            "n_speakers": len(np.unique(voices.speakers)),
            "scenes": scored(voices, config.seed),
            "without_labels": unlabelled(voices, config.seed),
        }


def scored(voices: Voices, seed: int) -> dict[str, Result]:
    """UAR, and gain over nothing, of every scene."""
    nothing = _said(voices, heard_before(voices, NOTHING, np.random.default_rng(0)))
    unknown = dict(zip(*nothing, strict=True))
    found = {}
    for scene in (*HEARD, *SHOWN):
        before = heard_before if scene in HEARD else shown_before
        parts = []
        for draw in range(DRAWS if scene != NOTHING else 1):
            known = before(voices, scene, np.random.default_rng([seed, draw]))
            clips, said = _said(voices, known)
            parts.append((clips, said, np.array([unknown[i] for i in clips])))
        # Of few clips all may have been shown.
        if all(len(clips) for clips, _, _ in parts):
            found[scene] = _gain(voices, parts)
    return found


def unlabelled(voices: Voices, seed: int) -> dict[str, dict[str, Result]]:
    """The same of every method without labels, by what was heard."""
    found: dict[str, dict[str, Result]] = {}
    hearings = {"all emotions": _any, "8 of 10 neutral": _neutral}
    if voices.neutral.sum() < LEAST_NEUTRAL:
        del hearings["8 of 10 neutral"]
    for name, heard in hearings.items():
        found[name] = {}
        for method, adapt in METHODS.items():
            parts = []
            for draw in range(DRAWS):
                rng = np.random.default_rng([seed, draw])
                before = heard(voices, rng)
                clips = np.setdiff1d(np.arange(len(voices)), before)
                mean, layer = voices.mean_of(before), voices.layer
                score = adapt(layer, voices.means[before] - mean)
                said = score(voices.means[clips] - mean).argmax(1)
                plain = layer.logits(voices.means[clips] - layer.mean).argmax(1)
                parts.append((clips, said, plain))
            found[name][method] = _gain(voices, parts)
    return found


def _any(voices: Voices, rng: np.random.Generator) -> NDArray[np.intp]:
    n = min(N_UNLABELLED, len(voices) // 2)
    return rng.choice(len(voices), n, replace=False)


def _neutral(voices: Voices, rng: np.random.Generator) -> NDArray[np.intp]:
    n = min(N_UNLABELLED, voices.neutral.sum() // 2)
    return draw_mostly(np.arange(len(voices)), voices.neutral, n, rng)


def _said(
    voices: Voices, known: Mapping[int, Known]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    clips = np.array(sorted(known), np.intp)
    said = [voices.say(i, known[i].mean, known[i].taught) for i in clips]
    return clips, np.array(said, np.intp)


def _gain(voices: Voices, parts: Sequence[Said]) -> Result:
    clips, said, plain = (np.concatenate(each) for each in zip(*parts, strict=True))
    of = voices.targets[clips], voices.speakers[clips], len(voices.labels)
    after, before = (
        Counts.of(of[0].tolist(), each.tolist(), of[1].tolist(), of[2])
        for each in (said, plain)
    )
    draws = after.draws("UAR") - before.draws("UAR")
    return {
        "UAR": round(after.value("UAR"), 1),
        "nothing": round(before.value("UAR"), 1),
        "gain": round(after.value("UAR") - before.value("UAR"), 1),
        "gain_interval": after.bounds(draws),
        "gain_error": round(float(np.nanstd(draws)), 2),
    }


def told(
    space: LocoRun,
    names: Sequence[str],
    *,
    say: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """All scenes on every corpus left out; what is done is not computed again."""
    found = []
    for fold, result in each_result([ToldFold(name) for name in names], space):
        assert result is not None
        say(f"{fold.corpus}: done")
        found.append(result)
    return found


def lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each scene: means over corpora, and the interval of the mean gain."""
    for part, rows in _tables(found):
        gain = np.mean([row["gain"] for row in rows])
        error = 1.96 * np.sqrt(np.sum([row["gain_error"] ** 2 for row in rows]))
        uar = np.mean([row["UAR"] for row in rows])
        least = min(row["gain"] for row in rows)
        yield (
            f"{part}: UAR {uar:.1f}, gain {gain:+.1f} +- {error / len(rows):.1f} "
            f"(least {least:+.1f})"
        )


def _tables(
    found: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    first = found[0]
    for scene in first["scenes"]:
        if all(scene in one["scenes"] for one in found):
            yield scene, [one["scenes"][scene] for one in found]
    for heard, methods in first["without_labels"].items():
        if all(heard in one["without_labels"] for one in found):
            for method in methods:
                rows = [one["without_labels"][heard][method] for one in found]
                yield f"{heard} heard, {method}", rows
