"""The bundle computes what the trained PyTorch network does, step by step."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ser_stream.adaptation.pack import find_pack, load_pack
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.bundle_evidence import read_evidence

pytest.importorskip("torch")

from export.bundle import export_bundle
from export.parity import TOLERANCE, Parity, prove_parity
from tests.helpers.adaptation_packs import small_pack
from tests.helpers.packaged_graphs import use_packaged_graphs
from tests.helpers.paths import CHECKPOINT, CHECKPOINTS, DATA, PACKAGED, TINY
from training.corpora.utterance import read_samples
from training.engine.checkpoint import load_checkpoint
from training.recipe.model import build_model


@pytest.fixture(scope="module", params=PACKAGED)
def packaged(request: pytest.FixtureRequest) -> str:
    """The name of a bundle in the package."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def parity(packaged: str) -> Parity:
    """Of a bundle in the package, against the network it was exported from."""
    model, _ = build_model(load_checkpoint(CHECKPOINTS / f"{packaged}.pt"))
    clips = [(path, read_samples(path)) for path in sorted(DATA.glob("*.flac"))]
    return prove_parity(model, load_bundle(packaged), clips)


def test_the_packaged_bundle_is_the_trained_network(parity: Parity) -> None:
    assert parity.clips >= 6
    assert parity.steps > 300
    assert parity.max_logit_difference <= TOLERANCE
    assert parity.labels_equal


def test_the_network_tells_clips_apart_by_far_more_than_the_difference(
    parity: Parity,
) -> None:
    # An untrained network gives any two clips nearly the same logits.
    distance = parity.median_distance_between_clips
    assert distance >= 1000 * parity.max_logit_difference
    assert distance > 0.5


def test_columns_shifted_by_half_a_column_fail(parity: Parity) -> None:
    assert parity.median_difference_when_shifted > 10 * TOLERANCE


def test_the_evidence_holds_the_same_proof(packaged: str, parity: Parity) -> None:
    stored = read_evidence(load_bundle(packaged))["parity"]
    assert stored["passed"] is True
    assert stored["steps"] == parity.steps
    assert stored["median_distance_between_clips"] == pytest.approx(
        parity.median_distance_between_clips, rel=1e-2
    )


def test_an_exported_bundle_is_loaded_and_a_foreign_folder_left_alone(
    tiny: Path, tmp_path: Path, two_clips: Path
) -> None:
    made = load_bundle(str(shutil.copytree(tiny, tmp_path / "new")))
    assert read_evidence(made)["parity"]["passed"]
    assert made.name == "tiny"
    card = (tmp_path / "new" / "card.md").read_text()
    assert "Not measured" in card
    pack = small_pack(made, tmp_path / "new" / "adaptation")
    again = export_bundle(TINY, tmp_path / "new", two_clips, None, "again")
    assert again.parity.passed
    assert again.bundle.name == "again"
    # The same graphs to the last bit: that is what lets figures be claimed for them.
    assert again.bundle.manifest["files"] == made.manifest["files"]
    # So their adaptation pack goes on.
    assert load_pack(find_pack(again.bundle), again.bundle).sha256 == pack.sha256
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    with pytest.raises(ModelError, match="is not empty and no bundle"):
        export_bundle(TINY, full, two_clips, None)
    assert (full / "thesis.txt").read_text() == "mine"


def test_what_fails_the_proof_is_not_written(
    tmp_path: Path, two_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import export.parity

    use_packaged_graphs(monkeypatch)
    whole = export.parity.whole_logits
    monkeypatch.setattr(
        export.parity, "whole_logits", lambda *a, **k: whole(*a, **k) + np.float32(1)
    )
    with pytest.raises(ModelError, match="parity fails, nothing written"):
        export_bundle(CHECKPOINT, tmp_path / "new", two_clips, None)
    assert list(tmp_path.iterdir()) == []


def test_the_graphs_tell_nothing_of_the_machine_that_made_them() -> None:
    for name in ("encoder.onnx", "head.onnx"):
        content = (load_bundle("open").folder / name).read_bytes()
        assert b"site-packages" not in content
        assert b"Traceback" not in content
        assert b".py" not in content
