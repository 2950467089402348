"""What a frozen encoder says at each step of a clip, kept on disk.

Every network with the same encoder hears the same, and there are as many as folds and
seeds; only what they make of it differs. The pipeline runs all the same: gate, front
end and window are where they always are.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import Cpac
from ser_stream.nn.whisper import WhisperEncoder
from training.corpora import Utterance
from training.corpora.utterance import corpus_folder
from training.engine.array_file import Arrays, read_arrays, write_arrays
from training.recipe.teacher.pretrained import WHEELS

FORMAT = 3
"""Raised when what is computed changes."""


class _Memory(nn.Module):
    """In the seat of the frozen part: what it said of the same frames before."""

    def __init__(self, encoder: nn.Module, known: Arrays) -> None:
        super().__init__()
        self._ask = encoder
        self.known = known
        self.n_asked = 0

    def forward(self, frames: Tensor) -> Tensor:
        key = hashlib.sha256(frames.numpy().tobytes()).hexdigest()
        if key not in self.known:
            self.known[key] = self._ask(frames).numpy().astype(np.float16)
            self.n_asked += 1
        return torch.from_numpy(self.known[key].astype(np.float32))


@contextmanager
def remembered(model: Cpac, utterance: Utterance, cache: Path) -> Iterator[None]:
    """Let the frozen part of a network, if it has one, be asked once of each window.

    Args:
        model: a network in evaluation mode.
        utterance: the clip that goes through it, whole, as a stream of its own.
        cache: a file in it holds one clip.
    """
    encoder = model.encoder
    if not isinstance(encoder, WhisperEncoder):
        yield
        return
    config = encoder.config
    what = (FORMAT, config.width, config.n_heads, config.n_blocks, WHEELS)
    key = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    folder = cache / "steps" / corpus_folder(utterance.corpus)
    path = folder / f"{utterance.clip}-{key}.npz"
    frozen = encoder.frozen
    memory = _Memory(frozen, read_arrays(path))
    encoder.frozen = memory
    try:
        yield
    finally:
        encoder.frozen = frozen
    if memory.n_asked:
        write_arrays(path, memory.known, compress=False)
