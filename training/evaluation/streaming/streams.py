"""Utterances of one speaker -> streams whose emotion changes at known times."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from ser_stream.tuning.streams import Segment
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.streaming.synthetic_noise import coloured
from training.evaluation.streaming.voice_activity import voiced_extent, voiced_level

UTTERANCES = (2, 4)
"""Of one emotion, said in a row: from so many to so many."""
PAUSE_S = (0.3, 1.5)
"""Between utterances, of the same emotion or not. The VAD bridges up to 0.6 s."""
ROOM_DB = (35.0, 50.0)
"""How far the noise of the room lies below the voice; all through the stream."""
MAX_SEGMENTS = 8
"""In a stream: about a minute of EmoDB."""
ROUNDS = 2
"""How often each utterance is used, in another order and company each time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is said in a stream, in what order; no audio yet."""

    speaker: str
    segments: list[list[Utterance]]
    """Each of one emotion, which differs from that of the segment before."""
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A stream, and its true segments."""

    samples: FloatArray
    segments: list[Segment]
    """From the first voiced sample of an emotion to that of the next; the last one to
    the end of the stream. So the pauses belong to the emotion before them."""
    utterances: list[Segment]
    """The voiced parts alone."""


def plans(
    utterances: Sequence[Utterance], seed: int, rounds: int = ROUNDS
) -> list[Plan]:
    """Share the utterances of each speaker out to streams of two segments or more.

    Each is used at most once a round; some are left over where a speaker has too few of
    other emotions to put between them.
    """
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        by_speaker[utterance.speaker].append(utterance)
    result = []
    for i, speaker in enumerate(sorted(by_speaker)):
        for round_ in range(rounds):
            rng = np.random.default_rng([seed, i, round_])
            segments = _segments(by_speaker[speaker], rng)
            for start in range(0, len(segments), MAX_SEGMENTS):
                part = segments[start : start + MAX_SEGMENTS]
                if len(part) > 1:
                    result.append(Plan(speaker, part, (seed, i, round_, start)))
    return result


def _segments(
    utterances: Sequence[Utterance], rng: np.random.Generator
) -> list[list[Utterance]]:
    left: dict[str, list[Utterance]] = defaultdict(list)
    for i in rng.permutation(len(utterances)):
        left[utterances[i].emotion].append(utterances[i])
    least, most = UTTERANCES
    result: list[list[Utterance]] = []
    before = ""
    while True:
        allowed = sorted(e for e in left if e != before and len(left[e]) >= least)
        if not allowed:
            return result
        # The more is left of an emotion the likelier it comes, so that none is left
        # over alone.
        weight = np.array([len(left[e]) for e in allowed], float)
        before = str(rng.choice(allowed, p=weight / weight.sum()))
        n = int(rng.integers(least, most + 1))
        result.append(left[before][:n])
        left[before] = left[before][n:]


def join(plan: Plan) -> Joined:
    """Make the stream: utterances without their own silence, pauses, a room's noise."""
    rng = np.random.default_rng(plan.seed)

    def pause() -> FloatArray:
        return np.zeros(round(rng.uniform(*PAUSE_S) * SAMPLE_RATE), np.float32)

    parts, levels, utterances, starts = [pause()], [], [], []
    position = len(parts[0])
    for segment in plan.segments:
        starts.append(position)
        for utterance in segment:
            samples = read_samples(utterance.path)
            levels.append(voiced_level(samples))
            start, end = voiced_extent(samples)
            # Without its offset: each cut would be a click.
            voice = samples[start:end] - samples[start:end].mean()
            utterances.append(
                Segment(position, position + len(voice), utterance.emotion)
            )
            parts += [voice, pause()]
            position += len(voice) + len(parts[-1])
    # The last words have as long to be understood as the others.
    parts.append(np.zeros(SAMPLE_RATE, np.float32))
    position += SAMPLE_RATE
    room = coloured(rng.uniform(1.0, 2.0))(position, rng)
    level = float(np.median(levels)) * 10 ** (-rng.uniform(*ROOM_DB) / 20)
    samples = np.concatenate(parts) + np.float32(level) * room
    extents = zip(pairwise([*starts, position]), plan.segments, strict=True)
    segments = [Segment(*extent, said[0].emotion) for extent, said in extents]
    return Joined(np.clip(samples, -1.0, 1.0), segments, utterances)
