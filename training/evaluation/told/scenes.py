"""Who was heard before, and what was enrolled or taught: the scenes that are scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_stream.pipeline.last_layer import taught
from ser_stream.pipeline.values import FloatArray
from training.evaluation.told.voices import Voices
from training.recipe.speaker_memory import draw_mostly

Clips = NDArray[np.intp]
Rng = np.random.Generator
NOTHING = "nothing"
MOST_TAKEN = 0.5
"""Share of a speaker's clips of a class that may be enrolled: others are scored."""
WRONG = 0.3
"""Share of wrong labels, where somebody labels carelessly."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What was known when a clip was scored."""

    mean: FloatArray
    taught: FloatArray | None = None


# Scenes in which somebody was heard: a history for each clip that is scored.


def _some(v: Voices, speaker: str, n: int, rng: Rng, *, but: int = -1) -> Clips:
    others = v.of_speaker(speaker)
    others = others[others != but]
    return rng.choice(others, min(n, len(others)), replace=False)


def _mostly_neutral(v: Voices, speaker: str, n: int, rng: Rng, *, but: int) -> Clips:
    others = v.of_speaker(speaker)
    others = others[others != but]
    return draw_mostly(others, v.neutral[others], n, rng)


def _another(v: Voices, i: int, rng: Rng) -> str:
    return str(rng.choice(np.unique(v.speakers[v.speakers != v.speakers[i]])))


def _two(v: Voices, i: int, rng: Rng) -> tuple[Clips, Clips]:
    own = _mostly_neutral(v, v.speakers[i], 10, rng, but=i)
    return own, _mostly_neutral(v, _another(v, i, rng), 10, rng, but=-1)


def _television(v: Voices, i: int, rng: Rng) -> Clips:
    own = _mostly_neutral(v, v.speakers[i], 6, rng, but=i)
    others = np.unique(v.speakers[v.speakers != v.speakers[i]])
    on_air = rng.choice(others, min(3, len(others)), replace=False)
    return np.concatenate([own, *(_some(v, s, 6, rng) for s in on_air)])


def _one_emotion(v: Voices, i: int, rng: Rng) -> Clips:
    own = v.of_speaker(v.speakers[i])
    own = own[(own != i) & (v.targets[own] == rng.choice(v.classes))]
    return rng.choice(own, min(20, len(own)), replace=False)


HEARD: Mapping[str, Callable[[Voices, int, Rng], Clips]] = {
    NOTHING: lambda v, i, rng: np.zeros(0, np.intp),
    "10 clips": lambda v, i, rng: _some(v, v.speakers[i], 10, rng, but=i),
    "10 clips, 8 neutral": lambda v, i, rng: _mostly_neutral(
        v, v.speakers[i], 10, rng, but=i
    ),
    "two in turn, 10 clips each, 8 neutral; all of the room counts": lambda v, i, rng: (
        np.concatenate(_two(v, i, rng))
    ),
    "the same, and the speaker's own alone count": lambda v, i, rng: _two(v, i, rng)[0],
    "a guest, after 10 clips of another": lambda v, i, rng: _mostly_neutral(
        v, _another(v, i, rng), 10, rng, but=-1
    ),
    "6 clips, and 6 each of three on television": _television,
    "20 clips of one emotion": _one_emotion,
}
"""The clips that count in the mean, for clip `i`."""


def heard_before(v: Voices, scene: str, rng: Rng) -> dict[int, Known]:
    """What is known for every clip."""
    history = HEARD[scene]
    return {i: Known(v.mean_of(history(v, i, rng))) for i in range(len(v))}


# Scenes in which a speaker enrolled or taught: all other clips of them are scored.


def _examples(v: Voices, clips: Clips, n: int, classes: Clips, rng: Rng) -> Clips:
    return np.concatenate(
        [rng.permutation(clips[v.targets[clips] == c])[:n] for c in classes]
    )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a speaker shows."""

    examples: int = 3
    """Of each label."""
    labels: int | None = None
    """How many labels; None: all."""
    wrong: float = 0.0
    """Share of examples with a label by chance."""
    learn: bool = True
    """Whether the last layer learns, or only the mean."""
    of_another: bool = False
    """Whether another speaker shows them, and of the scored one 10 clips were heard."""

    def known(self, v: Voices, speaker: str, rng: Rng) -> dict[int, Known]:
        """What is known for the speaker's clips that are scored."""
        teacher = speaker
        if self.of_another:
            teacher = _another(v, int(v.of_speaker(speaker)[0]), rng)
        n_labels = len(v.classes) if self.labels is None else self.labels
        classes = rng.choice(v.classes, n_labels, replace=False)
        shown = _examples(v, v.of_speaker(teacher), self.examples, classes, rng)
        targets = v.targets[shown].copy()
        slips = rng.random(len(shown)) < self.wrong
        targets[slips] = rng.choice(v.classes, slips.sum())
        mean = v.mean_of(shown, targets)
        change = None
        if self.learn:
            change = taught(v.layer, v.means[shown] - mean, targets)
        own = v.of_speaker(speaker)
        if not self.of_another:
            return {int(i): Known(mean, change) for i in np.setdiff1d(own, shown)}
        return {
            int(i): Known(v.mean_of(_some(v, speaker, 10, rng, but=i)), change)
            for i in own
        }


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Half a minute of neutral speech, and nothing else."""

    clips: int = 12

    def known(self, v: Voices, speaker: str, rng: Rng) -> dict[int, Known]:
        """What is known for the speaker's clips that are scored."""
        own = v.of_speaker(speaker)
        neutral = own[v.neutral[own]]
        n = min(self.clips, round(MOST_TAKEN * len(neutral)))
        shown = rng.permutation(neutral)[:n]
        mean = v.mean_of(shown, v.targets[shown])
        return {int(i): Known(mean) for i in np.setdiff1d(own, shown)}


SHOWN: Mapping[str, Lesson | Enrolled] = {
    "12 neutral clips enrolled": Enrolled(),
    "1 example a label": Lesson(1),
    "2 examples a label": Lesson(2),
    "3 examples a label": Lesson(3),
    "the same, and only the mean learns": Lesson(3, learn=False),
    "5 examples a label": Lesson(5),
    "3 examples of 2 labels": Lesson(3, labels=2),
    "the same, and only the mean learns, 2 labels": Lesson(3, labels=2, learn=False),
    "3 examples a label, 30 % of them wrong": Lesson(3, wrong=WRONG),
    "3 examples a label, of another speaker": Lesson(3, of_another=True),
    "the same of another, and nothing learns": Lesson(3, of_another=True, learn=False),
}
"""What a speaker shows before the rest of the clips is scored."""


def shown_before(v: Voices, scene: str, rng: Rng) -> dict[int, Known]:
    """What is known for every clip that was not shown."""
    found: dict[int, Known] = {}
    for speaker in np.unique(v.speakers):
        found |= SHOWN[scene].known(v, str(speaker), rng)
    return found
