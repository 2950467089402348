"""Train the network of the tests, `tiny.pt`: as CPAC is trained, but small and soon.

    python -m tests.data.make_tiny

It learns the utterances of the bundled minute, nothing else, and knows those: what a
test shows on it holds for a network that has learned. The same file each time on one
machine; elsewhere sums may differ in the last digit.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ser_stream.nn.cpac import CpacConfig
from tests.helpers.minute import utterances_of_the_minute, write_corpus
from training.corpora import load_corpora
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.recipe.config import AugmentConfig, CorpusConfig, TrainConfig
from training.recipe.train import TrainOptions, train

OUT = Path(__file__).with_name("tiny.pt")
CONFIG = TrainConfig(
    name="tiny",
    corpora=(CorpusConfig("emodb"),),
    model=replace(
        CpacConfig.listening(5),
        n_filters=12,
        n_primary=3,
        n_digit=3,
        capsule_dim=16,
        n_statistics=16,
        dropout=(0.0, 0.0, 0.0),
        head_dropout=0.0,
        statistics_dropout=0.0,
    ),
    augment=AugmentConfig(
        variants=(1.0, 0.0, 0.0, 0.0, 0.0),
        warp=0.0,
        pitch_octaves=0.0,
        noise_probability=0.0,
        time_masks=0,
    ),
    epochs=150,
    learning_rate=5e-3,
    label_smoothing=0.0,
    average=0.9,
    noise="",
)
KEPT = ("epoch", "config", "weights", "speakers")


def main() -> None:
    """Write the checkpoint, without what only more training would need."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "corpora/emodb", utterances_of_the_minute())
        made = train(
            load_corpora(folder / "corpora", ["emodb"]),
            CONFIG,
            folder / "run",
            TrainOptions(device="cpu", threads=1, cache=folder / "spectra"),
        )
        saved = load_checkpoint(made)
    save_checkpoint(OUT, {key: saved[key] for key in KEPT})


if __name__ == "__main__":
    main()
