"""What the numbers before a network's last layer mean, as a file beside its graphs."""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from export.card import write_card
from ser_stream.errors import ModelError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import (
    CARD,
    FEATURES,
    MANIFEST,
    Bundle,
    load_bundle,
    seal,
)
from ser_stream.pipeline.bundle_evidence import (
    EVIDENCE,
    read_evidence,
    write_evidence,
)
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.speaker import Speaker
from training.engine.checkpoint import load_checkpoint
from training.recipe.feature_space import last_layer_of
from training.recipe.model import build_model

KNOWN = ("centre", "whitening", "typical", "emotions")
"""What a `FeatureSpace` writes."""
TOLERANCE = 1e-4
"""Largest allowed difference of logits."""


def write_features(
    model: Cpac, folder: Path, space: Path | None = None
) -> tuple[str, ...]:
    """Write the file into the folder of a bundle, if the network is told of speakers.

    Args:
        model: of the bundle.
        folder: of the bundle.
        space: what `python -m training features` has written; None where that was not
            measured.

    Returns:
        Its name, for the manifest; nothing if there is no such file.

    Raises:
        ModelError: if `space` is none, or of another network.
    """
    if not model.head.config.speaker_mean:
        return ()
    layer = last_layer_of(model)
    known = {} if space is None else _read(space, layer.weight.shape)
    np.savez(
        folder / FEATURES,
        mean=layer.mean,
        weight=layer.weight,
        bias=layer.bias,
        **known,
    )
    return (FEATURES,)


def _read(path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            known = {name: file[name] for name in KNOWN if name in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        known = {}
    of_network = "emotions" in known and known["emotions"].shape == shape
    if not of_network or Familiarity.read(path) is None:
        raise ModelError(f"{path} does not say where the features of this network lie")
    return known


def add_features(checkpoint: Path, folder: Path, space: Path | None = None) -> Bundle:
    """Write the file of a bundle that is there; its graphs stay the same.

    Raises:
        ModelError: if the checkpoint is not that of the bundle, or its network is not
            told of speakers.
    """
    model, _ = build_model(load_checkpoint(checkpoint))
    before = load_bundle(str(folder))
    evidence = read_evidence(before)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as made:
        part = Path(made) / folder.name
        shutil.copytree(folder, part)
        if not write_features(model, part, space):
            raise ModelError(f"{checkpoint}: the network has no speaker_mean")
        names = dict.fromkeys([*before.manifest["files"], FEATURES])
        seal(part, before.manifest, names)
        bundle = load_bundle(str(part))
        # Nothing takes its place in the bundle before it is known to fit.
        check_features(bundle)
        write_evidence(bundle, evidence)
        write_card(bundle, evidence)
        for name in (FEATURES, EVIDENCE, CARD, MANIFEST):
            os.replace(part / name, folder / name)
    return load_bundle(str(folder))


def check_features(bundle: Bundle) -> None:
    """See that the file and the graphs say the same.

    Raises:
        ModelError: if they do not.
    """
    recognizer = OnnxRecognizer(bundle)
    layer = recognizer.last_layer
    if layer is None:
        return
    rng = np.random.default_rng(0)
    geometry = bundle.geometry
    n = geometry.cold_frames + 10 * geometry.frames_per_column
    frames = rng.standard_normal((n, bundle.front_end.n_features)).astype(np.float32)
    columns, _ = recognizer.encode(frames, None)
    speaker = Speaker(1.0)
    for _ in range(2):  # of an unknown voice; and of one that was heard
        told = speaker.total(len(layer.mean)), speaker.seconds
        logits = recognizer.logits(columns, speaker)
        found = speaker.newest(1.0)
        if found is None:
            raise ModelError(f"{bundle.folder}: too few columns to look at features")
        same = layer.logits(found[0] - layer.mean_of(*told))
        if np.abs(same - logits).max() > TOLERANCE:
            raise ModelError(
                f"{bundle.folder / FEATURES} is of another network than the graphs"
            )
        speaker.pause()
