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
from ser_stream.pipeline.front_end import FrontEndConfig
from training.corpora import Utterance
from training.engine.array_file import write_arrays

FORMAT = 2
"""Raised when what is computed changes."""


class _Memory(nn.Module):
    """In the seat of the frozen part: what it said before, in the order of asking."""

    def __init__(self, encoder: nn.Module, said: list[Tensor]) -> None:
        super().__init__()
        self._ask = encoder
        self._known = list(said)
        self.said: list[Tensor] = []

    def forward(self, frames: Tensor) -> Tensor:
        at = len(self.said)
        self.said.append(
            self._known[at] if at < len(self._known) else self._ask(frames).half()
        )
        return self.said[-1].float()


@contextmanager
def remembered(
    model: Cpac | None, front_end: FrontEndConfig, utterance: Utterance, cache: Path
) -> Iterator[None]:
    """Let the frozen part of a network, if it has one, be asked once of each clip.

    Args:
        model: a network in evaluation mode; None for one that cannot be looked into.
        front_end: what it was trained on.
        utterance: the clip that goes through it, whole, as a stream of its own.
        cache: a file in it holds one clip.
    """
    if model is None or not isinstance(model.encoder, WhisperEncoder):
        yield
        return
    encoder, config = model.encoder, model.config
    size = utterance.path.stat().st_size
    what = (FORMAT, config.geometry, config.step_s, front_end, size)
    key = hashlib.sha256(repr((*what, encoder.config.n_blocks)).encode())
    name = f"{utterance.clip}-{key.hexdigest()[:16]}.npz"
    path = cache / "steps" / utterance.corpus / name
    known = _read(path)
    frozen = encoder.frozen
    memory = _Memory(frozen, known)
    encoder.frozen = memory
    try:
        yield
    finally:
        encoder.frozen = frozen
    if len(memory.said) != len(known):
        columns = [step[0].numpy() for step in memory.said]
        numbers = np.array([len(step) for step in columns], np.int64)
        arrays = {"columns": np.concatenate(columns), "numbers": numbers}
        write_arrays(path, arrays, compress=False)


def _read(path: Path) -> list[Tensor]:
    if not path.is_file():
        return []
    with np.load(path) as kept:
        columns, numbers = kept["columns"], kept["numbers"]
    parts = np.split(columns, np.cumsum(numbers)[:-1])
    return [torch.from_numpy(part)[None] for part in parts]
