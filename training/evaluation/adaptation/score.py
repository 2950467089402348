"""What a bundle makes of clips, and whether another does better on the same ones."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.adaptation.child.evidence import score_windows
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.model import Model
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.recording import whole_scores
from ser_stream.pipeline.values import Chunk
from training.corpora import Utterance
from training.evaluation.adaptation.conversation import Room, with_pause
from training.evaluation.bootstrap import SEED, Counts, Draws, of_draws, rounded

NONE = -1
"""The prediction where the speech gate finds no speech: always wrong."""
DECISION = (
    "the clips of each speaker as one stream, a second of pause between them, in a "
    "room as the one that was adapted to, after another clip of the speaker: what a "
    "running daemon hears; each clip decided by all its steps as `ser-stream "
    "recognize` does; a clip in which the gate hears no speech is wrong"
)


def predictions(bundle: Bundle, clips: Sequence[Utterance]) -> list[int]:
    """The class of each clip, an index of the bundle's labels, or NONE.

    A daemon that has been running knows the level of a voice, and so does what it
    adapts to; clips scored cold, each by itself, would be another matter.
    """
    model, found = Model(bundle), dict[Path, int]()
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for clip in clips:
        by_speaker[f"{clip.corpus}/{clip.speaker}"].append(clip)
    for said in by_speaker.values():
        room, start = Room(SEED), 0
        pipeline = model.pipeline()
        for clip in [said[-1], *said]:
            samples = room.with_noise(with_pause(clip), start)
            # The pause ends the window, so these steps are of this clip alone.
            steps = pipeline.feed(Chunk(start, samples))
            start += len(samples)
            scores = whole_scores(steps, bundle.clip_temperature)
            found[clip.path] = NONE if scores is None else int(scores.argmax())
    return [found[clip.path] for clip in clips]


def window_predictions(bundle: Bundle, windows: LabelledWindows) -> list[int]:
    """The class of each window of a pack, among those that its corpus speaks of."""
    frames = [windows.window(i) for i in range(len(windows))]
    logits = score_windows(OnnxRecognizer(bundle), frames).logits
    among = np.where(windows.allowed, logits, -np.inf)
    return [int(label) for label in among.argmax(1)]


def sheet(clips: Sequence[Utterance], labels: Sequence[str]) -> dict[str, list[Any]]:
    """Names, speakers and true classes of clips, for JSON."""
    return {
        "name": [clip.name for clip in clips],
        "speaker": [f"{clip.corpus}/{clip.speaker}" for clip in clips],
        "truth": [labels.index(clip.emotion) for clip in clips],
    }


def change(before: Sequence[Counts], after: Sequence[Counts], seed: int) -> Draws:
    """UAR points by which each bootstrap draw of speakers changed; mean over runs.

    The same speakers are drawn in all runs, before and after: the draws are pairs.
    """
    changes: Draws = np.mean(
        [
            now.draws("UAR", seed) - was.draws("UAR", seed)
            for was, now in zip(before, after, strict=True)
        ],
        axis=0,
    )
    return changes


def compared(
    clips: dict[str, list[Any]], before: Sequence[int], after: Sequence[int]
) -> dict[str, Any]:
    """UAR before and after, and the change with its paired 95 % interval, percent.

    `clips` are as `sheet` gives them; before and after are predicted classes of them.
    """
    n_classes = 1 + max(clips["truth"])
    was, now = (
        Counts.of(clips["truth"], predicted, clips["speaker"], n_classes)
        for predicted in (before, after)
    )
    found = of_draws(change([was], [now], SEED), len(was.speakers))
    return {
        "n": len(before),
        "n_speakers": len(was.speakers),
        "UAR_before": round(was.value("UAR"), 2),
        "UAR_after": round(now.value("UAR"), 2),
        "gain": round(now.value("UAR") - was.value("UAR"), 2),
        "gain_interval": rounded(found),
    }


def balanced(
    clips: Sequence[Utterance], n: int, labels: Sequence[str], seed: int
) -> list[Utterance]:
    """About `n` of the clips, as many of each speaker and class as can be."""
    rng = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[Utterance]] = {}
    for clip in sorted(clips, key=lambda u: u.name):
        if clip.emotion in labels:
            groups.setdefault((clip.speaker, clip.emotion), []).append(clip)
    shuffled = [
        [group[i] for i in rng.permutation(len(group))] for group in groups.values()
    ]
    taken = [
        group[i]
        for i in range(max(map(len, shuffled), default=0))
        for group in (shuffled[j] for j in rng.permutation(len(shuffled)))
        if i < len(group)
    ]
    return sorted(taken[:n], key=lambda u: u.name)
