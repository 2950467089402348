"""Each corpus is left out of the training that is scored on it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.pipeline.values import FloatArray
from tests.data.make_tiny import CONFIG as TINY_CONFIG
from training.engine.checkpoint import load_checkpoint
from training.evaluation.heard_clip import HeardClip
from training.evaluation.loco import (
    LocoFold,
    LocoRun,
    _metrics,
    loco,
    mean_line,
)
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.train import TrainOptions

RECIPE = replace(
    TINY_CONFIG,
    corpora=(CorpusConfig("clips"), CorpusConfig("far")),
    model=replace(TINY_CONFIG.model, speaker_mean=True),
    floor=FloorConfig(),
    epochs=1,
    batch_size=4,
    max_columns=12,
)


def run_of(tmp_path: Path, corpora: Path, recipe: TrainConfig = RECIPE) -> LocoRun:
    options = TrainOptions(
        device="cpu", threads=1, progress=False, cache=tmp_path / "spectra"
    )
    return LocoRun(recipe, corpora, tmp_path / "out", tmp_path / "runs", options)


def test_what_is_scored_was_not_trained_on_and_results_are_kept(
    tmp_path: Path, clip_corpora: Path
) -> None:
    space = run_of(tmp_path, clip_corpora)
    said: list[str] = []
    found = loco(space, ["clips", "far"], say=said.append)
    for corpus, other in (("clips", "far"), ("far", "clips")):
        result = json.loads((tmp_path / f"out/{corpus}.json").read_text())
        assert [c["name"] for c in result["config"]["corpora"]] == [other]
        saved = load_checkpoint(LocoFold(corpus).training(space) / "checkpoint.pt")
        assert all(s.startswith(f"{other}/") for s in saved["speakers"])
        # The bored clip is no class of the recipe.
        assert result["n"] == 5
        assert list(result["scores"]) == [
            "none",
            "3 clips",
            "10 clips",
            "10 clips, 8 neutral",
        ]
    assert said[0].startswith("clips: UAR none ")
    assert mean_line(found).startswith("mean UAR of 2 corpora: none ")
    before = (tmp_path / "out/far.json").stat().st_mtime_ns
    loco(space, ["far"])
    assert (tmp_path / "out/far.json").stat().st_mtime_ns == before


def test_what_an_unknown_voice_is_taken_for_comes_from_corpora_left_out_too(
    tmp_path: Path, clip_corpora: Path
) -> None:
    three = replace(RECIPE, corpora=(*RECIPE.corpora, CorpusConfig("emodb")))
    plain = run_of(tmp_path, clip_corpora, three)
    space = replace(plain, out=tmp_path / "recentred", recentred=True)
    ((_, result),) = loco(space, ["far"])
    assert "moved as networks trained without one of emodb too" in result["protocol"]
    fold = LocoFold("far")
    saved = load_checkpoint(fold.training(space, "emodb") / "checkpoint.pt")
    assert all(s.startswith("clips/") for s in saved["speakers"])
    # The network itself is the one that is scored without this, too.
    model = fold.network(space)
    before = model.head.mean.clone()
    assert fold.recentre(space, model) == ["emodb"]
    assert not torch.equal(model.head.mean, before)
    loco(space, ["far"])  # and what is done is known again
    with pytest.raises(ConfigError, match="recentred"):
        loco(replace(space, recentred=False), ["far"])


def test_a_network_without_the_mean_is_scored_once(
    tmp_path: Path, clip_corpora: Path
) -> None:
    plain = replace(RECIPE, model=replace(RECIPE.model, speaker_mean=False))
    ((_, result),) = loco(run_of(tmp_path, clip_corpora, plain), ["far"])
    assert list(result["scores"]) == ["none"]


def test_the_mean_of_the_speaker_decides_as_the_head_says() -> None:
    torch.manual_seed(0)
    model = Cpac(RECIPE.model).eval()
    features = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    clip = HeardClip(features, [3, 12, 14])
    # Short windows say little of a voice.
    assert np.allclose(clip.mean, features[1:].mean(0))
    assert HeardClip(features[:0], []).decide(model, []) == -1
    alone = clip.decide(model, [])
    # A speaker who always sounds like that is not that emotion's picture.
    always: FloatArray = model.head.classifier.weight[alone].detach().numpy()
    far = [always * np.float32(1e3)] * 10
    assert clip.decide(model, far) != alone


def test_figures_of_other_clips_are_not_told_as_those_of_today(
    tmp_path: Path, clip_corpora: Path
) -> None:
    corpora = tmp_path / "corpora"
    shutil.copytree(clip_corpora, corpora)
    space = run_of(tmp_path, corpora)
    loco(space, ["far"])
    for changed in ("far", "clips"):
        table = corpora / changed / "manifest.csv"
        before = table.read_text()
        table.write_text(before.replace("angry", "fear"))
        with pytest.raises(ConfigError, match=r"far.json was made of other clips"):
            loco(space, ["far"])
        table.write_text(before)
    # One from before there was a hash is read.
    path = tmp_path / "out/far.json"
    result = json.loads(path.read_text())
    del result["clips_hash"]
    path.write_text(json.dumps(result))
    (corpora / "far/manifest.csv").write_text(before.replace("angry", "fear"))
    assert dict(loco(space, ["far"])) == {"far": result}


def test_with_another_configuration_results_go_elsewhere(
    tmp_path: Path, clip_corpora: Path
) -> None:
    space = run_of(tmp_path, clip_corpora)
    loco(space, ["far"])
    longer = replace(space, settings=replace(RECIPE, epochs=2))
    with pytest.raises(ConfigError, match="epochs: 1 there, 2 now"):
        loco(longer, ["far"])
    # As the message says; the training goes elsewhere too.
    ((_, result),) = loco(replace(longer, out=tmp_path / "other"), ["far"])
    assert result["config"]["epochs"] == 2


@pytest.mark.parametrize(
    ("corpora", "names", "message"),
    [
        (("clips", "far"), [], "none of emodb, ravdess, .*say by --corpus what"),
        (("clips",), ["clips"], "has clips alone; .* needs two corpora or more"),
    ],
)
def test_what_cannot_be_left_out_is_refused_before_anything_is_trained(
    tmp_path: Path,
    clip_corpora: Path,
    corpora: tuple[str, ...],
    names: list[str],
    message: str,
) -> None:
    recipe = replace(RECIPE, corpora=tuple(map(CorpusConfig, corpora)))
    with pytest.raises(ConfigError, match=message):
        loco(run_of(tmp_path, clip_corpora, recipe), names)
    assert not (tmp_path / "spectra").exists()


def test_what_the_recipe_lacks_is_scored_by_the_network_of_all_of_it(
    tmp_path: Path, clip_corpora: Path
) -> None:
    recipe = replace(RECIPE, corpora=(CorpusConfig("clips"),))
    space = run_of(tmp_path, clip_corpora, recipe)
    found = dict(loco(space, ["far", "emodb"]))
    assert [c["name"] for c in found["far"]["config"]["corpora"]] == ["clips"]
    # One training, and the same clips, so the same figures.
    assert found["far"]["scores"] == found["emodb"]["scores"]
    assert len(list((tmp_path / "runs").rglob("checkpoint.pt"))) == 1


def test_labels_without_neutral_have_no_mostly_neutral_speaker(
    tmp_path: Path, clip_corpora: Path
) -> None:
    model = replace(RECIPE.model, n_classes=2)
    recipe = replace(RECIPE, labels=("angry", "sad"), model=model)
    ((_, result),) = loco(run_of(tmp_path, clip_corpora, recipe), ["far"])
    assert list(result["scores"]) == ["none", "3 clips", "10 clips"]


def test_what_is_said_wrongly_is_wrong_whatever_it_is() -> None:
    truth = np.array([0, 0, 2, 2, 2, 2])
    # Without speech, and of a class that no clip has.
    said = np.array([0, -1, 2, 1, 1, 1])
    found = _metrics(truth, said, ("angry", "fear", "happy"))
    assert found == {"UAR": 37.5, "recall": {"angry": 50.0, "happy": 25.0}}


def test_openSMILE_is_scored_on_the_same_corpora_left_out(  # noqa: N802  its name
    tmp_path: Path, clip_corpora: Path
) -> None:
    pytest.importorskip("opensmile")
    from training.evaluation.loco_svm import loco_svm

    said: list[str] = []
    three = replace(RECIPE, corpora=(*RECIPE.corpora, CorpusConfig("emodb")))

    def run(recipe: TrainConfig, *names: str) -> dict[str, dict[str, float]]:
        cache, out = tmp_path / "functionals", tmp_path / "out"
        return loco_svm(recipe, clip_corpora, names, cache, out, say=said.append)

    found = run(three, "far")
    result = json.loads((tmp_path / "out/far.json").read_text())
    # The clips of both corpora are alike: what was learned of one holds for the other.
    assert found["far"]["training"] == result["training"]["UAR"] > 60
    assert result["n"] == 5
    assert result["protocol"].startswith("trained on clips, emodb; ")
    assert said[0].startswith("far: UAR scaled by training ")
    # It is read again, not computed; and never written over by another recipe's.
    (tmp_path / "out/far.json").write_text(json.dumps({**result, "n": 77}))
    assert run(three, "far") == found
    with pytest.raises(ConfigError, match=r"far\.json was made with .*--out"):
        run(RECIPE, "far")
    assert json.loads((tmp_path / "out/far.json").read_text())["n"] == 77
    with pytest.raises(ConfigError, match="none of emodb"):
        run(RECIPE)
    with pytest.raises(ConfigError, match="clips alone"):
        run(replace(RECIPE, corpora=(CorpusConfig("clips"),)), "clips")
