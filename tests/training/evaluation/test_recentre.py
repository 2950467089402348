"""On voices never heard: the mean of an unknown one, calibration, thresholds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from export.bundle import export_bundle
from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.floor import FloorConfig
from tests.data.make_tiny import CONFIG
from tests.helpers.paths import TINY
from training.corpora import load_corpora
from training.engine.checkpoint import load_checkpoint
from training.evaluation.calibrate import calibrate
from training.evaluation.loco import heard_of_clip
from training.evaluation.recentre import recentre
from training.recipe.config import CorpusConfig
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, train

RECIPE = replace(
    CONFIG,
    corpora=(CorpusConfig("clips"),),
    model=replace(CONFIG.model, speaker_mean=True),
    floor=FloorConfig(),
    epochs=1,
    batch_size=4,
    max_columns=12,
)


@pytest.fixture(scope="module")
def checkpoint(clip_corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recentre")
    options = TrainOptions(
        device="cpu", threads=1, progress=False, cache=folder / "spectra"
    )
    return train(load_corpora(clip_corpora, ["clips"]), RECIPE, folder / "run", options)


def test_an_unknown_voice_is_taken_for_the_mean_of_those(
    checkpoint: Path, clip_corpora: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recentred.pt"
    moved = recentre(checkpoint, clip_corpora, ["far"], out, progress=False)
    before, _ = build_model(load_checkpoint(checkpoint))
    saved = load_checkpoint(out)
    after, config = build_model(saved)
    assert config == RECIPE
    assert saved["recentred"]["corpora"] == ["far"]
    # Every speaker of these clips has one.
    clips = [u for u in load_corpora(clip_corpora, ["far"]) if u.emotion != "boredom"]
    features = np.array([heard_of_clip(before, config, u).mean for u in clips])
    assert np.allclose(after.head.mean.numpy(), features.mean(0), atol=1e-5)
    x = torch.from_numpy(features)
    with torch.no_grad():
        difference = after.head.classify(x) - before.head.classify(x)
        # A voice that was heard for long has its own mean.
        own = [
            m.head.classify(x, m.head.mean_of(1e6 * x, torch.tensor([[1e6]])))
            for m in (before, after)
        ]
    assert np.allclose(difference.numpy(), np.tile(moved, (len(x), 1)), atol=1e-4)
    assert torch.allclose(own[0], own[1], atol=1e-3)
    # All else is as it was.
    others = {k: v for k, v in after.state_dict().items() if k != "head.mean"}
    assert all(torch.equal(before.state_dict()[k], v) for k, v in others.items())


def test_voices_that_it_was_trained_on_are_refused(
    checkpoint: Path, clip_corpora: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pt"
    with pytest.raises(ConfigError, match="clips: the network was trained on it"):
        recentre(checkpoint, clip_corpora, ["clips", "far"], out)
    with pytest.raises(ModelError, match="has no mean to measure"):
        recentre(TINY, clip_corpora, ["far"], out)
    assert not out.exists()
    calibration = tmp_path / "calibration.json"
    with pytest.raises(ConfigError, match="clips: the network was trained on it"):
        calibrate(checkpoint, clip_corpora, ["clips", "far"], calibration)
    with pytest.raises(ConfigError, match="calibration needs two corpora or more"):
        calibrate(checkpoint, clip_corpora, ["far"], calibration)


def test_a_bundle_is_calibrated_on_them(
    checkpoint: Path, clip_corpora: Path, two_clips: Path, tmp_path: Path
) -> None:
    recentred = tmp_path / "recentred.pt"
    recentre(checkpoint, clip_corpora, ["far"], recentred, progress=False)
    path = tmp_path / "calibration.json"
    found = calibrate(recentred, clip_corpora, ["far", "emodb"], path)
    assert found["metrics"]["n"] == 10
    made = export_bundle(recentred, tmp_path / "bundle", two_clips, path)
    assert list(made.bundle.temperatures) == found["temperatures"]
    assert made.bundle.thresholds.uncertain == found["thresholds"]["uncertain"]
    card = (tmp_path / "bundle/card.md").read_text()
    assert "The figures are of this very network, which never heard these corpora" in (
        card
    )
    assert "was measured on far; no weight was trained there" in card
    evidence = (tmp_path / "bundle/evidence.json").read_text()
    assert "training recentre CHECKPOINT --corpora DIR --unseen far" in evidence
    assert "calibrate RECENTRED --corpora DIR --unseen far --unseen emodb" in evidence
