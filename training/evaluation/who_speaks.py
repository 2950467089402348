"""How well `--tell-speakers` tells who speaks, on streams of turns of known speakers.

A turn is a clip of a corpus without the silence on either side, so the speakers act
emotions; turns are two seconds apart. All of it goes through the runtime's own code,
and where turns begin and end is known; or the speech gate says it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ser_stream.pipeline.blocks import BLOCK_LENGTH, Blocker
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import Chunk, FloatArray, Gap
from ser_stream.pipeline.voices.clusters import Voices, cosine
from ser_stream.pipeline.voices.encoder import VoiceEncoder
from ser_stream.pipeline.voices.who_speaks import WhoSpeaks
from training.corpora.utterance import Utterance, read_samples
from training.recipe.teacher.encoders import trimmed

CHOSEN_ON = ("emodb", "crema-d")
"""The limits of `ser_stream.pipeline.voices` were."""
MEASURED_ON = ("ravdess", "savee", "casia", "emotale")
TURNS = 20
STREAMS = 20
"""For each corpus and number of speakers."""
SPEAKERS = (1, 2, 4)
MOST_VOICES = 4
OTHERS_TURN = 0.7
"""How likely the next turn is somebody else's."""
CLIPS = 24
"""Of a speaker; more are left out."""
LONGEST = 5 * 16000
KNOWN_TURNS = (1, 3, 8)
PAUSE = np.zeros(10 * BLOCK_LENGTH, np.float32)


class Remembering:
    """An encoder that embeds a window once: streams have turns in common."""

    def __init__(self, encoder: VoiceEncoder) -> None:
        self._encoder = encoder
        self._known: dict[bytes, FloatArray] = {}

    def embedding(self, samples: FloatArray, /) -> FloatArray:
        key = hashlib.blake2b(samples.tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._encoder.embedding(samples)
        return self._known[key]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A turn: whole blocks."""

    speaker: str
    emotion: str
    samples: FloatArray


def read_clips(utterances: Sequence[Utterance]) -> dict[str, list[Clip]]:
    """Clips by speaker, of a corpus; at most `CLIPS` of each."""
    by: dict[str, list[Utterance]] = defaultdict(list)
    for one in utterances:
        if one.named:
            by[one.speaker].append(one)
    rng = np.random.default_rng(0)
    result = {}
    for speaker, every in sorted(by.items()):
        chosen = [every[i] for i in rng.permutation(len(every))[:CLIPS]]
        result[speaker] = [_clip(one) for one in chosen]
    return result


def _clip(one: Utterance) -> Clip:
    samples = trimmed(read_samples(one.path))[:LONGEST]
    n = -(-len(samples) // BLOCK_LENGTH) * BLOCK_LENGTH
    return Clip(one.speaker, one.emotion, np.pad(samples, (0, n - len(samples))))


def told(
    turns: Sequence[Clip], encoder: Remembering, most: int, *, gated: bool = False
) -> tuple[list[int | None], int]:
    """What is said last of each turn; and how many voices there are in the end.

    Args:
        turns: of the stream.
        encoder: of voices.
        most: how many voices are told apart.
        gated: whether the speech gate says where turns are; else it is known.
    """
    who = WhoSpeaks(Voices(most), encoder)
    gate = SpeechGate() if gated else None
    blocker = Blocker()
    numbers: list[int | None] = []
    at = 200  # on the grid: a turn is the same blocks wherever it stands

    def hear(samples: FloatArray, known: int | None) -> list[int | None]:
        nonlocal at
        said = []
        for block in blocker.feed(Chunk(at, samples)):
            assert not isinstance(block, Gap), "turns follow each other"
            who.feed(block, known if gate is None else gate.feed(block).began)
            said.append(who.number)
        at += len(samples)
        return said

    for turn in turns:
        hear(PAUSE, None)
        # The gate closes some time after the last word.
        said = [*hear(turn.samples, at), *hear(PAUSE, None)]
        numbers.append(next((n for n in reversed(said) if n is not None), None))
    return numbers, len(list(who.voices))


def draw(
    clips: dict[str, list[Clip]], n_speakers: int, rng: np.random.Generator
) -> list[Clip]:
    """A stream's turns; no clip twice while there are others."""
    names = sorted(name for name, every in clips.items() if len(every) >= TURNS)
    who = [str(name) for name in rng.choice(names, n_speakers, replace=False)]
    left = {name: list(rng.permutation(len(clips[name]))) for name in who}
    turns, current = [], who[0]
    for _ in range(TURNS):
        others = [name for name in who if name != current]
        if others and rng.random() < OTHERS_TURN:
            current = others[rng.integers(len(others))]
        turns.append(clips[current][left[current].pop()])
    return turns


def score(turns: Sequence[Clip], numbers: Sequence[int | None]) -> dict[str, float]:
    """Shares of seconds: confused by the best one-to-one naming, pure, not told."""
    seconds = np.array([len(turn.samples) for turn in turns], float)
    seconds /= seconds.sum()
    names = sorted({turn.speaker for turn in turns})
    voices = sorted({n for n in numbers if n is not None})
    table = np.zeros((len(names), max(1, len(voices))))
    for turn, number, share in zip(turns, numbers, seconds, strict=True):
        if number is not None:
            table[names.index(turn.speaker), voices.index(number)] += share
    rows, columns = linear_sum_assignment(-table)
    said = table.sum()
    if not said:
        return {"confused": nan, "purity": nan, "untold": 1.0, "numbers": 0}
    return {
        "confused": (said - table[rows, columns].sum()) / said,
        "purity": table.max(axis=0).sum() / said,
        "untold": 1 - said,
        "numbers": len(voices),
    }


def equal_error_rate(same: Sequence[float], other: Sequence[float]) -> float:
    """Where as many of the same are refused as others are taken, 0 to 1."""
    limits = np.sort(np.concatenate([same, other]))
    refused = np.searchsorted(np.sort(same), limits) / len(same)
    taken = 1 - np.searchsorted(np.sort(other), limits) / len(other)
    at = np.abs(refused - taken).argmin()
    return float(refused[at] + taken[at]) / 2


def turn_error_rates(
    clips: dict[str, list[Clip]], encoder: Remembering
) -> dict[str, float]:
    """Equal error rate of a turn against voices of 1, 3 and 8 other turns, 0 to 1."""
    rng = np.random.default_rng(0)
    means = {
        name: [total for one in every if (total := _total(one, encoder)) is not None]
        for name, every in clips.items()
    }
    result = {}
    for known in KNOWN_TURNS:
        same: list[float] = []
        other: list[float] = []
        for name, every in means.items():
            for _ in range(10):
                order = rng.permutation(len(every))
                voice = np.sum([every[i] for i in order[:known]], axis=0)
                same += [cosine(voice, every[i]) for i in order[known : known + 8]]
                for someone in means:
                    if someone != name:
                        one = means[someone][rng.integers(len(means[someone]))]
                        other.append(cosine(voice, one))
        result[str(known)] = equal_error_rate(same, other)
    return result


def _total(clip: Clip, encoder: Remembering) -> Any:
    """Sum of the embeddings of a turn, as `WhoSpeaks` takes it; None if too short."""
    seen = Voices()
    found: list[Any] = []
    seen.matching = found.append  # type: ignore[method-assign, assignment]
    who = WhoSpeaks(seen, encoder)
    for block in Blocker().feed(Chunk(200, clip.samples)):
        assert not isinstance(block, Gap)
        who.feed(block, 200)
    return found[-1] if found else None


def measure(
    clips: dict[str, list[Clip]], encoder: Remembering, *, gated: bool = False
) -> dict[str, Any]:
    """All that is said of one corpus; see `told`."""
    result: dict[str, Any] = {"equal_error_rate": turn_error_rates(clips, encoder)}
    for n in SPEAKERS:
        rng = np.random.default_rng(n)
        rows = []
        for _ in range(STREAMS):
            turns = draw(clips, n, rng)
            numbers, left = told(turns, encoder, MOST_VOICES, gated=gated)
            rows.append({**score(turns, numbers), "voices": left})
        result[f"{n}_speakers"] = {
            key: round(float(np.nanmean([row[key] for row in rows])), 3)
            for key in rows[0]
        }
    return result


def lines(result: dict[str, Any]) -> list[str]:
    """A table of it: rows of Markdown."""
    rows = [
        "| corpus | equal error rate of a turn after 1, 3, 8 turns | "
        "people: confused, purity, told apart, not told |",
        "| --- | --- | --- |",
    ]
    for name, one in result.items():
        rates = ", ".join(f"{100 * x:.1f}" for x in one["equal_error_rate"].values())
        streams = "; ".join(
            f"{n}: {100 * s['confused']:.0f} %, {100 * s['purity']:.0f} %, "
            f"{s['numbers']:.1f}, {100 * s['untold']:.0f} %"
            for n in SPEAKERS
            for s in [one[f"{n}_speakers"]]
        )
        rows.append(f"| {name} | {rates} | {streams} |")
    return rows


def run(
    folder: Path, names: Sequence[str], encoder: VoiceEncoder, *, gated: bool = False
) -> dict[str, Any]:
    """All corpora; shares from 0 to 1.

    Raises:
        SourceError: if a corpus is not there.
    """
    from training.corpora import load_corpora

    remembering = Remembering(encoder)
    return {
        name: measure(
            read_clips(load_corpora(folder, [name])), remembering, gated=gated
        )
        for name in names
    }
