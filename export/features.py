"""What the numbers before a network's last layer mean, as a file beside its graphs."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import ModelError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import (
    FEATURES,
    MANIFEST,
    Bundle,
    file_hash,
    load_bundle,
    sealed,
    write_json,
)
from ser_stream.pipeline.familiarity import Familiarity
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.speaker import Speaker
from training.engine.checkpoint import load_checkpoint
from training.recipe.model import build_model

TOLERANCE = 1e-4
"""Largest allowed difference of logits."""


def write_features(
    model: Cpac, folder: Path, space: Path | None = None
) -> dict[str, str]:
    """Write the file into the folder of a bundle, if the network is told of speakers.

    Args:
        model: of the bundle.
        folder: of the bundle.
        space: what `python -m training features` has written; None where that was not
            measured.

    Returns:
        What the manifest is to say of it.

    Raises:
        ModelError: if `space` is none, or of another network.
    """
    head = model.head
    if not head.config.speaker_mean:
        return {}
    path, last = folder / FEATURES, head.classifier
    known = {} if space is None else _read(space, tuple(last.weight.shape))
    np.savez(
        path,
        allow_pickle=False,
        mean=head.mean.numpy(),
        weight=last.weight.detach().numpy(),
        bias=last.bias.detach().numpy(),
        **known,
    )
    return {"features": file_hash(path)}


def _read(path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            known = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile):
        known = {}
    of_network = "emotions" in known and known["emotions"].shape == shape
    if not of_network or Familiarity.read(path) is None:
        raise ModelError(f"{path} does not say where the features of this network lie")
    return known


def add_features(checkpoint: Path, folder: Path, space: Path | None = None) -> Bundle:
    """Write the file of a bundle that is there; the model stays the same.

    Raises:
        ModelError: if the checkpoint is not that of the bundle, or its network is not
            told of speakers.
    """
    model, _ = build_model(load_checkpoint(checkpoint))
    before = load_bundle(str(folder))
    told = write_features(model, folder, space)
    if not told:
        raise ModelError(f"{checkpoint}: the network has no speaker_mean")
    write_json(folder / MANIFEST, sealed({**before.manifest, **told}))
    bundle = load_bundle(str(folder))
    check_features(bundle)
    return bundle


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
