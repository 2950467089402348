"""On voices never heard: the mean of an unknown one, calibration, thresholds."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

import torch

from export.bundle import export_bundle
from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.tuning.search import Rule
from tests.data.make_tiny import CONFIG
from tests.helpers.paths import TINY
from training.corpora import load_corpora
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.evaluation.calibrate import calibrate
from training.evaluation.crossval import crossval
from training.evaluation.heard_clip import heard_of_clip
from training.evaluation.recentre import recentre, recentre_by_folds
from training.evaluation.streaming.noises import training_of
from training.evaluation.streaming.thresholds import Question, choose_thresholds
from training.evaluation.zero_shot.scored_model import load_scored_model
from training.recipe.commands import slim
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
    features = np.array(
        [heard_of_clip(before, config, u, tmp_path).mean for u in clips]
    )
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


def test_a_corpus_in_which_no_speech_is_heard_is_named(
    checkpoint: Path, tmp_path: Path
) -> None:
    rows = ["file,speaker,emotion"]
    (tmp_path / "still").mkdir()
    for emotion in ("angry", "fear", "sad"):
        soundfile.write(tmp_path / f"still/{emotion}.wav", np.zeros(16_000), 16_000)
        rows.append(f"{emotion}.wav,A,{emotion}")
    (tmp_path / "still/manifest.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "out.pt"
    with pytest.raises(ConfigError, match=r"no speech is heard in any clip of still"):
        recentre(checkpoint, tmp_path, ["still"], out, progress=False)
    assert not out.exists()
    # A speaker of one emotion has no stream either.
    (tmp_path / "still/manifest.csv").write_text("\n".join(rows[:2]) + "\n")
    question = Question("open", None, ("still",), tmp_path, Rule())
    with pytest.raises(ConfigError, match="no speech to search on in 0 streams of sti"):
        choose_thresholds(question, progress=False)


def test_a_bundle_is_calibrated_on_them(
    checkpoint: Path, clip_corpora: Path, two_clips: Path, tmp_path: Path
) -> None:
    recentred = tmp_path / "recentred.pt"
    recentre(checkpoint, clip_corpora, ["far"], recentred, progress=False)
    path = tmp_path / "calibration.json"
    found = calibrate(recentred, clip_corpora, ["far", "emodb"], path)
    assert found["metrics"]["n"] == 10
    for load in (
        lambda: export_bundle(checkpoint, tmp_path / "bundle", two_clips, path),
        lambda: load_scored_model(str(checkpoint), path),
    ):
        with pytest.raises(ModelError, match=r"fitted on another network than .*\.pt"):
            load()
    assert not (tmp_path / "bundle").exists()
    # Slimmed, it is the same network; and calibrations of before do not tell.
    slim(recentred, tmp_path / "slim.pt")
    uncertain = found["thresholds"]["uncertain"]
    assert load_scored_model(str(tmp_path / "slim.pt"), path).uncertain == uncertain
    old = tmp_path / "old.json"
    old.write_text(
        json.dumps({k: v for k, v in found.items() if k != "weights_sha256"})
    )
    assert load_scored_model(str(checkpoint), old).uncertain == uncertain
    made = export_bundle(recentred, tmp_path / "bundle", two_clips, path)
    assert list(made.bundle.temperatures) == found["temperatures"]
    assert made.bundle.thresholds.uncertain == found["thresholds"]["uncertain"]
    card = (tmp_path / "bundle/card.md").read_text()
    assert "The figures are of this very network, which never heard these corpora" in (
        card
    )
    assert "was measured on far; no weight was trained there" in card
    evidence = (tmp_path / "bundle/evidence.json").read_text()
    # Where the file of a user's configuration lay, no checkpoint says.
    assert "python -m training train CONFIG.toml --corpora DIR --epochs 1" in evidence
    assert "training recentre CHECKPOINT --corpora DIR --unseen far" in evidence
    # What noise was mixed in goes all the way to what `stream-eval` reads.
    assert training_of(made.bundle)["noises"] == []
    assert "calibrate RECENTRED --corpora DIR --unseen far --unseen emodb" in evidence


@pytest.mark.parametrize("near", ["clips", "clips/manifest.csv"])
def test_where_all_corpora_are_in_training_folds_tell_how_it_moves(
    near: str, clip_corpora: Path, two_clips: Path, tmp_path: Path
) -> None:
    both = replace(
        RECIPE,
        name="both",
        corpora=(CorpusConfig(near), CorpusConfig("far")),
        held_out="corpora",
    )
    clips = load_corpora(clip_corpora, [near, "far"])
    options = TrainOptions(
        device="cpu", threads=1, progress=False, cache=tmp_path / "spectra"
    )
    whole = train(clips, both, tmp_path / "run", options)
    folds, out = tmp_path / "folds", tmp_path / "recentred.pt"
    crossval(clips, both, folds, options, only=1)
    with pytest.raises(ConfigError, match="1 folds that leave out a corpus"):
        recentre_by_folds(whole, clip_corpora, folds, out, progress=False)
    crossval(clips, both, folds, options, only=2)
    moved = recentre_by_folds(whole, clip_corpora, folds, out, progress=False)
    expected = []
    for number, name in ((1, near), (2, "far")):
        saved = load_checkpoint(folds / f"fold-{number}" / "checkpoint.pt")
        network, config = build_model(saved)
        heard = {
            label: np.mean(
                [
                    heard_of_clip(network, config, u, tmp_path).mean
                    for u in clips
                    if (u.corpus, u.emotion) == (name, label)
                ],
                axis=0,
            )
            for label in {u.emotion for u in clips if u.corpus == name}
            & set(config.labels)
        }
        # Every speaker of these clips has one.
        new = torch.from_numpy(np.mean(list(heard.values()), axis=0))
        with torch.no_grad():
            weight = network.head.classifier.weight
            move = (weight @ (network.head.mean - new)).numpy()
        said = [label in heard for label in config.labels]
        expected.append(np.where(said, move - move[said].mean(), np.nan))
    assert np.allclose(moved, np.nanmean(expected, axis=0), atol=1e-4)
    before, _ = build_model(load_checkpoint(whole))
    saved = load_checkpoint(out)
    after, _ = build_model(saved)
    assert saved["recentred"]["corpora"] == [near, "far"]
    with torch.no_grad():
        x = torch.randn(3, RECIPE.model.n_features)
        difference = after.head.classify(x) - before.head.classify(x)
    assert np.allclose(difference.numpy(), np.tile(moved, (3, 1)), atol=1e-4)
    made = export_bundle(out, tmp_path / "bundle", two_clips, None)
    card = (made.bundle.folder / "card.md").read_text()
    assert f"each trained without one of {near} and far" in card
    evidence = (made.bundle.folder / "evidence.json").read_text()
    assert "recentre CHECKPOINT --corpora DIR --crossval FOLDS" in evidence
    # Folds of another recipe, and those that leave out speakers, are refused.
    saved = load_checkpoint(folds / "fold-1" / "checkpoint.pt")
    saved["config"] = replace(both, name="both", seed=7).to_dict()
    save_checkpoint(folds / "fold-1" / "checkpoint.pt", saved)
    with pytest.raises(ConfigError, match="is of another recipe than"):
        recentre_by_folds(whole, clip_corpora, folds, out, progress=False)
