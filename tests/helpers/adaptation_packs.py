"""A small adaptation pack of real clips, and ways to spoil one."""

import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ser_stream.adaptation.pack import Pack
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import MANIFEST, Bundle, manifest_hash
from tests.helpers.paths import CHECKPOINT, DATA, TINY
from training.corpora import Utterance
from training.engine.checkpoint import load_checkpoint
from training.recipe.adaptation_pack import write_pack
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.dataset import TrainingSet
from training.recipe.model import build_model

EMOTIONS = {
    "03a01Wa": "angry",
    "08a04Ff": "happy",
    "10a01Nb": "neutral",
    "11a07Ta": "sad",
    "15a02Ac": "fear",
}
WOMEN = ("08", "16")


def open_network() -> Cpac:
    """The network that the bundle `open` was exported from."""
    return build_model(load_checkpoint(CHECKPOINT))[0]


def tiny_network() -> Cpac:
    """That of `tests/data/tiny.pt`."""
    return build_model(load_checkpoint(TINY))[0]


def clip(stem: str) -> Utterance:
    """A clip of the tests' data, of EmoDB."""
    sex = "female" if stem[:2] in WOMEN else "male"
    path = DATA / f"{stem}.flac"
    return Utterance("emodb", path, stem[:2], sex, EMOTIONS[stem], stem[2:5], "de")


def small_pack(bundle: Bundle, out: Path, **options: Any) -> Pack:
    """Three clips to learn from, two of other speakers as the canary.

    Args:
        bundle: `open`, or that of the small network.
        out: folder to write.
        options: of `write_pack`.
    """
    canary = [clip(stem) for stem in ("11a07Ta", "15a02Ac")]
    options = {"n_source": 6, **options}
    network = open_network() if bundle.name == "open" else tiny_network()
    return write_pack(network, bundle, few_clips(), canary, out, **options)


@cache
def few_clips() -> TrainingSet:
    """An angry man, a happy woman and a man who is neutral."""
    return training_set([clip(stem) for stem in ("03a01Wa", "08a04Ff", "10a01Nb")])


def training_set(
    utterances: Sequence[Utterance], *corpora: CorpusConfig
) -> TrainingSet:
    """Clips to train on, of EmoDB unless told otherwise; their spectra on no disk."""
    config = TrainConfig("test", corpora or (CorpusConfig("emodb"),))
    with tempfile.TemporaryDirectory() as folder:
        return TrainingSet(utterances, config, [], Path(folder))


def rewrite_manifest(folder: Path, **changes: Any) -> None:
    """Change a manifest and seal it again, as if it had been written so."""
    path = folder / MANIFEST
    manifest = {**json.loads(path.read_text()), **changes}
    manifest["sha256"] = manifest_hash(manifest)
    path.write_text(json.dumps(manifest))
