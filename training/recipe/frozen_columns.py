"""Clips -> what a frozen encoder says of augmented windows of them, kept on disk.

The encoder does not learn, so nothing is gained by asking it anew in every epoch; a
clip has a handful of windows, of some lengths, each augmented in its own way.
"""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ser_stream.nn.whisper import WhisperConfig
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.engine.array_file import cached_arrays
from training.engine.fit import use_bf16
from training.recipe.dataset import Batch, TrainingSet
from training.recipe.spectrogram_augment import WindowMaker

FORMAT = 1
"""Raised when what is computed changes."""
COLUMNS = Path("runs/whisper")
"""Folder in which it is kept, unless another is asked for."""
LENGTHS = (30, 30, 30, 30, 24, 18, 12, 6)
"""Columns of the windows of a clip: half of them as long as the runtime's get."""


class FrozenSet(TrainingSet):
    """A training set whose windows went through the encoder already."""

    def prepare(self, encoder: nn.Module, cache: Path, *, progress: bool) -> None:
        """Compute, or read, the columns of all clips' windows."""
        bar = tqdm(self.utterances, "encoder", unit="clip", disable=not progress)
        encoder = encoder.eval()
        self._columns = [self._of_clip(i, u, encoder, cache) for i, u in enumerate(bar)]

    def _of_clip(
        self, i: int, utterance: Utterance, encoder: nn.Module, cache: Path
    ) -> list[FloatArray]:
        path = cache / utterance.corpus / f"{utterance.clip}-{self._key(i)}.npz"
        kept = cached_arrays(
            path, lambda: {"columns": self._computed(i, utterance, encoder)}
        )
        return np.split(kept["columns"], np.cumsum(LENGTHS)[:-1])

    @torch.no_grad()
    def _computed(self, i: int, utterance: Utterance, encoder: nn.Module) -> FloatArray:
        seed = zlib.crc32(utterance.name.encode())
        maker = self.maker(np.random.default_rng(seed))
        parts = []
        for n in dict.fromkeys(LENGTHS):
            frames = maker.windows(np.full(LENGTHS.count(n), i), n)
            device = torch.device("cpu")
            with torch.autocast("cpu", torch.bfloat16, enabled=use_bf16(device)):
                columns = encoder(frames)
            parts.append(columns.float().flatten(0, 1).numpy().astype(np.float16))
        return np.concatenate(parts)

    def _key(self, i: int) -> str:
        config = self.config
        size = self.utterances[i].path.stat().st_size
        assert isinstance(config.model, WhisperConfig)
        # A short clip is joined with these: where some are held out, by none of them.
        alike = sorted(self.utterances[j].name for j in self.alike(i))
        network = (config.front_end, config.model.n_blocks)
        what = (FORMAT, config.augment, *network, size, alike)
        return hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def statistics(self, maker: WindowMaker) -> tuple[FloatArray, ...]:
        """Mean and deviation of the columns of 400 windows: (2 width,)."""
        rows = maker.rng.choice(len(self), size=400, p=self.weights)
        drawn = np.concatenate([self._columns[i][0] for i in rows]).astype(np.float32)
        return drawn.mean(0), drawn.std(0) + np.float32(1e-3)

    def batches(self, maker: WindowMaker, mean: FloatArray) -> Iterator[Batch]:
        """One epoch; each batch has its own window length."""
        rng, size = maker.rng, self.config.batch_size
        for _ in range(self.n_batches):
            rows = rng.choice(len(self), size=size, p=self.weights)
            k = int(rng.integers(len(LENGTHS)))
            alike = [j for j, n in enumerate(LENGTHS) if n == LENGTHS[k]]
            chosen = [self._columns[i][int(rng.choice(alike))] for i in rows]
            yield Batch(
                torch.from_numpy(np.stack(chosen).astype(np.float32)),
                torch.from_numpy(self.targets[rows]),
                torch.from_numpy(self.allowed[rows]),
                torch.from_numpy(rows),
            )
