"""What was measured of a model is no part of it; older formats are the same model."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_stream.adaptation.pack import find_pack, load_pack
from ser_stream.adaptation.versions.store import Store, adaptation_folder
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import (
    CARD,
    MANIFEST,
    Bundle,
    file_hash,
    identity,
    load_bundle,
    manifest_hash,
    sealed,
)
from ser_stream.pipeline.bundle_evidence import EVIDENCE, read_evidence, write_evidence
from ser_stream.pipeline.smoothing import SmoothingConfig
from tests.helpers.adaptation_store import stage
from tests.helpers.paths import OPEN
from tests.helpers.program import run

Change = Callable[[Path], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    shutil.copytree(OPEN, tmp_path / "model")
    return load_bundle(str(tmp_path / "model"))


def again(bundle: Bundle) -> Bundle:
    return load_bundle(str(bundle.folder))


def rewrite(bundle: Bundle, **changes: Any) -> None:
    """Change the manifest as its writer would."""
    content = sealed({**bundle.manifest, **changes})
    (bundle.folder / MANIFEST).write_text(json.dumps(content))


def as_format_1(bundle: Bundle) -> None:
    """The folder as earlier versions wrote it: all in the manifest, the card hashed."""
    evidence = read_evidence(bundle)
    (bundle.folder / EVIDENCE).unlink()
    manifest = {**bundle.manifest, **evidence, "format": 1}
    for key in ("geometry", "sha256", "manifest_sha256"):
        del manifest[key]
    manifest["files"] = bundle.manifest["files"] | {
        CARD: file_hash(bundle.folder / CARD)
    }
    manifest["sha256"] = manifest_hash(manifest)
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / CARD).write_text("another"),
        lambda folder: (folder / CARD).unlink(),
        lambda folder: (folder / EVIDENCE).unlink(),
        lambda folder: (folder / EVIDENCE).write_text("{"),
        lambda folder: (folder / EVIDENCE).write_text("[]"),
    ],
)
def test_card_and_evidence_are_no_part_of_the_model(
    bundle: Bundle, change: Change
) -> None:
    change(bundle.folder)
    assert again(bundle).sha256 == bundle.sha256
    assert run("model", "verify", bundle.folder).returncode == 0
    assert run("model", "show", bundle.folder).returncode == 0


def test_the_name_is_not_what_a_model_computes_but_each_of_these_is(
    bundle: Bundle,
) -> None:
    rewrite(bundle, name="mine", licence="another", corpora=[])
    assert again(bundle).sha256 == bundle.sha256
    temperatures = [*bundle.temperatures[:-1], 2.0]
    thresholds = {**bundle.manifest["thresholds"], "lead": 0.4}
    for changes in (
        {"temperatures": temperatures},
        {"thresholds": thresholds},
        {"clip_temperature": 2.0},
        {"labels": list(reversed(bundle.labels))},
    ):
        rewrite(bundle, **changes)
        assert again(bundle).sha256 != bundle.sha256


def test_a_changed_manifest_is_still_found(bundle: Bundle) -> None:
    path = bundle.folder / MANIFEST
    path.write_text(path.read_text().replace('"MIT"', '"free"'))
    with pytest.raises(ModelError, match="changed after it was written"):
        again(bundle)


def test_evidence_of_another_model_is_not_shown(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_evidence(bundle)["metrics"]["UAR"] == 43.6
    rewrite(bundle, clip_temperature=2.0)
    with caplog.at_level(logging.WARNING):
        assert read_evidence(again(bundle)) == {}
    assert "was measured on another model" in caplog.text


def test_format_2_keeps_identity_and_pack_and_loses_the_smoothing_it_had(
    bundle: Bundle,
) -> None:
    had = {"uncertain": 0.45, "enter": 0.9, "exit": 0.1, "dwell_s": 0.4}
    manifest = {**bundle.manifest, "thresholds": had, "format": 2}
    manifest["sha256"] = identity(manifest)
    manifest["manifest_sha256"] = manifest_hash(manifest, "manifest_sha256")
    (bundle.folder / MANIFEST).write_text(json.dumps(manifest))
    old = again(bundle)
    assert old.sha256 == manifest["sha256"]
    assert old.thresholds == SmoothingConfig(uncertain=0.45)
    assert run("model", "verify", bundle.folder).returncode == 0


def test_format_1_is_the_same_model_with_the_same_evidence(bundle: Bundle) -> None:
    evidence = read_evidence(bundle)
    as_format_1(bundle)
    old = again(bundle)
    assert (old.sha256, old.geometry) == (bundle.sha256, bundle.geometry)
    assert read_evidence(old) == evidence
    assert load_pack(find_pack(old), old).manifest["name"] == "open"
    (bundle.folder / CARD).write_text("another")
    assert again(bundle).sha256 == bundle.sha256
    shown = json.loads(run("model", "show", bundle.folder, "--json").stdout)
    assert shown["metrics"] == evidence["metrics"]
    assert shown["sha256"] == bundle.sha256
    path = bundle.folder / MANIFEST
    path.write_text(path.read_text().replace("angry", "hangry"))
    with pytest.raises(ModelError, match="changed after it was written"):
        again(bundle)


def test_learned_versions_outlast_a_new_card(bundle: Bundle, tmp_path: Path) -> None:
    home = adaptation_folder(bundle, tmp_path)
    with Store.open(home, bundle) as store:
        learned = store.accept(stage(store, "a room"), "better", {}).bundle
    (bundle.folder / CARD).write_text("another")
    write_evidence(bundle, {**read_evidence(bundle), "metrics": {"UAR": 1.0}})
    renewed = again(bundle)
    assert adaptation_folder(renewed, tmp_path) == home
    with Store.open(home, renewed) as store:
        assert store.current is not None
        assert store.current.sha256 == learned
