"""Clips -> what a frozen encoder says of augmented windows of them, kept on disk.

The encoder does not learn, so nothing is gained by asking it anew in every epoch; a
clip has a handful of windows, of some lengths, each augmented in its own way.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ser_stream.nn.whisper import WhisperConfig, WhisperEncoder
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import corpus_folder
from training.engine.array_file import cached_arrays
from training.engine.fit import use_bf16
from training.recipe.config import TrainConfig
from training.recipe.dataset import Batch, TrainingSet
from training.recipe.spectrogram_augment import WindowMaker
from training.recipe.spectrogram_cache import spectra_key
from training.recipe.teacher.pretrained import WHEELS
from training.recipe.waveform_augment import VARIANTS

FORMAT = 1
"""Raised when what is computed changes."""
COLUMNS = Path("runs/whisper")
"""Folder in which it is kept, unless another is asked for."""
LENGTHS = (30, 30, 30, 30, 24, 18, 12, 6)
"""Columns of the windows of a clip: half of them as long as the runtime's get."""


class FrozenSet(TrainingSet):
    """A training set whose windows went through the encoder already."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        config: TrainConfig,
        noises: Sequence[FloatArray],
        cache: Path,
        *,
        encoder: WhisperEncoder,
        columns: Path,
        progress: bool = False,
    ) -> None:
        """Read, or compute, the spectra of all clips, and the columns of their windows.

        Args:
            utterances: see `TrainingSet`.
            config: what to train.
            noises: noise recordings, samples.
            cache: folder in which spectra are kept.
            encoder: of the network; its frozen part hears the windows.
            columns: folder in which what it says is kept.
            progress: show progress bars.
        """
        super().__init__(utterances, config, noises, cache, progress=progress)
        self._noise = [hashlib.sha256(noise.tobytes()).hexdigest() for noise in noises]
        self._spectra_keys = [
            spectra_key(u, list(VARIANTS), config.front_end) for u in self.utterances
        ]
        bar = tqdm(self.utterances, "encoder", unit="clip", disable=not progress)
        frozen = encoder.frozen.eval()
        self._columns = [
            self._of_clip(i, u, frozen, columns) for i, u in enumerate(bar)
        ]

    def _of_clip(
        self, i: int, utterance: Utterance, encoder: nn.Module, cache: Path
    ) -> list[FloatArray]:
        folder = cache / corpus_folder(utterance.corpus)
        path = folder / f"{utterance.clip}-{self._key(i)}.npz"
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
        config, model = self.config, self.config.model
        assert isinstance(model, WhisperConfig)
        # A short clip is joined with those alike, and the floor is that of any clip of
        # the speaker: where some are held out, it is to be of none of them.
        known = [self._spectra_keys[j] for j in self.same_speaker(i)]
        alike = [self._spectra_keys[j] for j in self.alike(i)]
        network = (model.width, model.n_heads, model.n_blocks, sorted(WHEELS.values()))
        windows = (config.augment, config.front_end, LENGTHS, self._noise)
        what = (FORMAT, *network, *windows, self._spectra_keys[i], alike, known)
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
