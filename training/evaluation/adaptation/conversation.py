"""Clips -> one recording of a conversation: turns, and pauses between utterances."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.streaming.synthetic_noise import coloured

PAUSE_S = 1.0
"""After each clip; the speech gate bridges up to 0.6 s."""
TURN = 10
"""Clips that one person says before another may."""
ROOM_DBFS = -70.0
"""Level of the pink noise of the room, all through the stream."""


def talk(clips: Sequence[Utterance], seed: int) -> list[Utterance]:
    """Each clip once, in turns of a speaker; who speaks next, and what, is chance.

    The order knows speakers, as a talk does, but no emotion.
    """
    rng = np.random.default_rng(seed)
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for clip in sorted(clips, key=lambda u: u.name):
        by_speaker[f"{clip.corpus}/{clip.speaker}"].append(clip)
    turns = []
    for said in by_speaker.values():
        shuffled = [said[i] for i in rng.permutation(len(said))]
        turns += [shuffled[i : i + TURN] for i in range(0, len(shuffled), TURN)]
    return [clip for i in rng.permutation(len(turns)) for clip in turns[i]]


def looped(clips: Sequence[Utterance], seconds: float) -> Iterator[FloatArray]:
    """The clips with their pauses, over and over, for at least so long."""
    return for_seconds(map(with_pause, cycle(clips)), seconds)


def for_seconds(sound: Iterable[FloatArray], seconds: float) -> Iterator[FloatArray]:
    """Pieces of samples, until they are at least so long."""
    n = 0
    for samples in sound:
        yield samples
        n += len(samples)
        if n >= seconds * SAMPLE_RATE:
            return


def with_pause(clip: Utterance) -> FloatArray:
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    return np.concatenate([read_samples(clip.path), pause])


class Room:
    """The faint noise of one room, under all that is said in it."""

    def __init__(self, seed: int) -> None:
        noise = coloured(1.0)(30 * SAMPLE_RATE, np.random.default_rng([seed, 7]))
        self._noise: FloatArray = np.float32(10 ** (ROOM_DBFS / 20)) * noise

    def with_noise(self, samples: FloatArray, start: int) -> FloatArray:
        """Samples that begin at sample `start` of a stream, with the noise."""
        place = np.arange(start, start + len(samples))
        noise = np.take(self._noise, place, mode="wrap")
        result: FloatArray = np.clip(samples + noise, -1.0, 1.0)
        return result


def write_recording(path: Path, pieces: Iterable[FloatArray], seed: int) -> float:
    """Write pieces of samples one after the other as one FLAC file, with a room.

    Returns:
        Its length, seconds.
    """
    room, n = Room(seed), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        for piece in pieces:
            file.write(room.with_noise(piece, n))
            n += len(piece)
    return n / SAMPLE_RATE
