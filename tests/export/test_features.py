"""The file beside the graphs is of the same network, or it is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from export.features import add_features, check_features
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import ENCODER, HEAD, load_bundle, seal
from ser_stream.pipeline.bundle_evidence import read_evidence, write_evidence
from tests.helpers.paths import CHECKPOINTS, OPEN, PACKAGED, TINY


@pytest.mark.parametrize("name", PACKAGED)
def test_the_last_layer_of_the_packaged_models_is_that_of_their_graphs(
    name: str,
) -> None:
    check_features(load_bundle(name))


def test_it_is_added_to_a_bundle_and_what_was_measured_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "open"
    shutil.copytree(OPEN, folder)
    before = load_bundle(str(folder))
    (folder / "features.npz").unlink()
    seal(folder, before.manifest, (ENCODER, HEAD))
    bare = load_bundle(str(folder))
    assert bare.features is None
    evidence = read_evidence(before)
    assert evidence
    write_evidence(bare, evidence)
    after = add_features(CHECKPOINTS / "open.pt", folder)
    assert after.features is not None
    # It says something else after some seconds, so it is another.
    assert after.sha256 != bare.sha256
    assert read_evidence(after) == evidence


def test_another_network_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    shutil.copytree(OPEN, folder)
    before = (folder / "features.npz").read_bytes()
    with pytest.raises(ModelError, match="another network"):
        add_features(CHECKPOINTS / "research.pt", folder)
    assert (folder / "features.npz").read_bytes() == before
    assert load_bundle(str(folder)).sha256 == load_bundle("open").sha256
    with pytest.raises(ModelError, match="no speaker_mean"):
        add_features(TINY, folder)
    other = tmp_path / "space.npz"
    np.savez(other, centre=np.zeros(3), whitening=np.eye(3), typical=1.0)
    with pytest.raises(ModelError, match=r"space\.npz"):
        add_features(CHECKPOINTS / "open.pt", folder, other)
    other.write_bytes(b"")
    with pytest.raises(ModelError, match=r"space\.npz"):
        add_features(CHECKPOINTS / "open.pt", folder, other)
