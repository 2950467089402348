"""Who is in a room, which of their clips are heard, and which are scored afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpora import Utterance
from training.evaluation.crossval import speaker_folds
from training.evaluation.loco import NEUTRAL

MIXES = ("balanced", "80 % neutral")
"""Of the classes in what is heard; what is scored is the same for both."""
MOSTLY = 4
"""Neutral clips for each of another class, in the second."""
N_ROOMS = {"savee": 2, "casia": 2}
"""Of other corpora everybody is in one: RAVDESS has four neutral clips of a speaker."""
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """Numbers of clips in the list that it was made of; no clip is in both."""

    heard: Rows
    """In the order in which they are said: turns of a speaker."""
    scored: Rows


def rooms(clips: Sequence[Utterance], corpus: str, mix: str, seed: int) -> list[Room]:
    """The rooms of a corpus; each speaker is in one.

    Half of the clips of each speaker and class may be heard, the others are scored.
    """
    groups = speaker_folds(clips, corpus, N_ROOMS.get(corpus, 1))
    found = []
    for number, group in enumerate(groups):
        # What is scored does not depend on the mix.
        split = np.random.default_rng([seed, number])
        rng = np.random.default_rng([seed, number, MIXES.index(mix)])
        heard: list[list[int]] = []
        scored: list[int] = []
        for speaker in sorted(group):
            by_class = _halves(clips, speaker, split, scored)
            heard.append([*rng.permutation(_mixed(by_class, mix, rng))])
        found.append(Room(np.array(_in_turns(heard, rng)), np.array(scored)))
    return found


def _halves(
    clips: Sequence[Utterance],
    speaker: str,
    rng: np.random.Generator,
    scored: list[int],
) -> dict[str, list[int]]:
    """By class, what may be heard; the rest goes to `scored`."""
    own: dict[str, list[int]] = {}
    for i, clip in enumerate(clips):
        if clip.speaker == speaker:
            own.setdefault(clip.emotion, []).append(i)
    half = {}
    for emotion in sorted(own):
        order = rng.permutation(own[emotion]).tolist()
        n = len(order) // 2
        half[emotion] = order[:n]
        scored += order[n:]
    return half


def _mixed(
    by_class: dict[str, list[int]], mix: str, rng: np.random.Generator
) -> list[int]:
    if mix == MIXES[0]:
        least = min(len(rows) for rows in by_class.values() if rows)
        return [i for rows in by_class.values() for i in rows[:least]]
    others = [
        i for emotion, rows in by_class.items() if emotion != NEUTRAL for i in rows
    ]
    neutral = by_class.get(NEUTRAL, [])
    n = max(1, round(len(neutral) / MOSTLY))
    return [*neutral, *rng.permutation(others)[:n].tolist()]


def _in_turns(
    heard: Sequence[Sequence[int]], rng: np.random.Generator, turn: int = 10
) -> list[int]:
    turns = [said[i : i + turn] for said in heard for i in range(0, len(said), turn)]
    return [int(i) for k in rng.permutation(len(turns)) for i in turns[k]]
