"""Utterances -> MFCC frames of whole clips, computed once and kept on disk."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ser_stream.pipeline.mfcc import MfccConfig, mfcc_of_frames
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import corpus_folder, read_samples
from training.engine.array_file import Arrays, cached_arrays
from training.paper.cut_ends import CutPaddedMfccConfig, cut_ends
from training.paper.padded_mfcc import PaddedMfccConfig, padded_mfcc

MFCC = MfccConfig()
"""CPAC's frames."""
MIN_FRAMES = 38
"""What one column of CPAC sees."""


def clip_frames(
    utterances: Sequence[Utterance], cache: Path, config: MfccConfig = MFCC
) -> list[FloatArray]:
    """Raw MFCCs of every clip, each (T, 39), T at least 38.

    The frames are those of `ser_stream.pipeline.mfcc`, no normalisation, no floor but
    1e-14; or of `training.paper.padded_mfcc`. A file beside the others in `cache` holds
    one corpus; it is made anew when a clip's name, size or time of change differs.

    Args:
        utterances: the clips.
        cache: folder of the files.
        config: other frames than those of CPAC, as many numbers in each as it says.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for i, utterance in enumerate(utterances):
        groups[utterance.corpus].append(i)
    result: list[FloatArray | None] = [None] * len(utterances)
    for corpus, rows in groups.items():
        clips = _of_corpus([utterances[i] for i in rows], corpus, cache, config)
        for i, frames in zip(rows, clips, strict=True):
            result[i] = frames
    return [frames for frames in result if frames is not None]


def _of_corpus(
    utterances: Sequence[Utterance], corpus: str, cache: Path, config: MfccConfig
) -> list[FloatArray]:
    path = cache / f"{corpus_folder(corpus)}-{_key(utterances, config)}.npz"

    def compute() -> Arrays:
        clips = [
            frames_of_clip(read_samples(u.path, config.sample_rate), config)
            for u in utterances
        ]
        ends = np.cumsum([len(clip) for clip in clips])
        return {"frames": np.concatenate(clips), "ends": ends}

    saved = cached_arrays(path, compute)
    return list(np.split(saved["frames"], saved["ends"][:-1]))


def _key(utterances: Sequence[Utterance], config: MfccConfig) -> str:
    digest = hashlib.sha256(repr(config).encode())
    for utterance in utterances:
        stat = utterance.path.stat()
        digest.update(
            f"{utterance.path.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode()
        )
    return digest.hexdigest()[:16]


def frames_of_clip(samples: FloatArray, config: MfccConfig = MFCC) -> FloatArray:
    """MFCCs of one recording, (T, 39); a short one is lengthened, to 38 frames."""
    if isinstance(config, CutPaddedMfccConfig):
        samples = cut_ends(samples, config.sample_rate, config.cut_s)
    if isinstance(config, PaddedMfccConfig):
        return padded_mfcc(samples, config)
    need = config.frame_length + (MIN_FRAMES - 1) * config.hop_length
    if len(samples) < need:
        samples = np.pad(samples, (0, need - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, config.frame_length)
    return mfcc_of_frames(frames[:: config.hop_length], config)


def fixed_length(clips: Sequence[FloatArray], n_frames: int) -> FloatArray:
    """Clips cut or padded at their end, (n, n_frames, 39).

    The padding repeats the clip's quietest frame, so that the room goes on. The paper
    does not say how; `training.paper.padded_mfcc` pads as the authors' group does.
    """
    result = np.empty((len(clips), n_frames, clips[0].shape[1]), np.float32)
    for row, clip in zip(result, clips, strict=True):
        length = min(len(clip), n_frames)
        row[:length] = clip[:length]
        row[length:] = clip[clip[:, 0].argmin()]
    return result
