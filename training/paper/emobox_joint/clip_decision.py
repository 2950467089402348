"""A whole clip -> one of the classes of its corpus."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.pipeline.front_end import FrontEndConfig, frames_of
from ser_stream.pipeline.recognizer import softmax
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.clip_steps import TorchRecognizer, run_clips
from training.recipe.frozen_columns import COLUMNS


def decision(network: CpacConfig) -> str:
    """What is said of a clip, in words."""
    return (
        f"clip through the streaming pipeline, a step each {network.step_s} s; largest "
        "mean, over the steps whose window is as long as it gets in this clip, of the "
        "softmax over the classes of the corpus; a clip in which the gate hears no "
        "speech: one window over the whole clip, at most its middle "
        f"{network.geometry.max_columns} columns"
    )


def decide(logits: FloatArray, allowed: Sequence[int]) -> int:
    """The class of a clip, as an index into `allowed`.

    Args:
        logits: of every step, (n_steps, n_labels), n_steps at least 1.
        allowed: the labels that the corpus has; the others are left out before the
            softmax.
    """
    return int(softmax(logits[:, list(allowed)]).mean(0).argmax())


def clip_logits(
    model: Cpac,
    labels: tuple[str, ...],
    front_end: FrontEndConfig,
    utterances: Sequence[Utterance],
    cache: Path = COLUMNS,
) -> tuple[list[FloatArray], list[str]]:
    """What the network says of whole clips.

    Args:
        model: on the CPU.
        labels: class names of the network; every clip has one of them.
        front_end: what it was trained on.
        utterances: clips to run.
        cache: folder in which what a frozen encoder says is kept.

    Returns:
        Logits of every clip, each (n_steps, n_labels), at the steps whose window is as
        long as it gets in this clip (what is said of its first word alone is another
        question); and the names of the clips in which the VAD found no speech, which
        have the one step of `ungated`.
    """
    heard, without_speech = [], []
    steps = run_clips(TorchRecognizer(model, labels), front_end, utterances, cache)
    for utterance, clip in zip(utterances, steps, strict=True):
        if clip.logits:
            longest = np.array(clip.columns) == max(clip.columns)
            heard.append(np.array(clip.logits, np.float32)[longest])
        else:
            without_speech.append(utterance.name)
            heard.append(ungated(model, front_end, read_samples(utterance.path)))
    return heard, without_speech


@torch.no_grad()
def ungated(model: Cpac, front_end: FrontEndConfig, samples: FloatArray) -> FloatArray:
    """Logits of one window over a clip, (1, n_labels), without the speech gate.

    The window is the whole clip, or the middle of a longer one.
    """
    geometry = model.config.geometry
    samples = np.pad(samples, (0, max(0, geometry.first_step - len(samples))))
    frames = frames_of(samples, front_end)
    n_whole = geometry.columns_in(len(frames))
    n = min(n_whole, geometry.max_columns)
    first = geometry.frames_per_column * ((n_whole - n) // 2)
    window = frames[first : first + geometry.n_frames(n)]
    logits: FloatArray = model.eval()(torch.from_numpy(window.copy())[None]).numpy()
    return logits
