"""Corpora that are not in a model's training, and openSMILE with an SVM beside it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.errors import ConfigError, ModelError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from tests.helpers.paths import CHECKPOINT
from training.corpora import Utterance
from training.evaluation.zero_shot import opensmile_baseline as opensmile_svm
from training.evaluation.zero_shot import run, table
from training.evaluation.zero_shot.opensmile_baseline import training_clips
from training.evaluation.zero_shot.scored_model import ScoredModel, load_scored_model

EMOTIONS = {"W": "angry", "A": "fear", "F": "happy", "N": "neutral", "T": "sad"}


@pytest.fixture(scope="module")
def model() -> ScoredModel:
    """The bundle of the package."""
    return load_scored_model("open")


def test_a_clip_is_scored_as_recognize_does(
    clip_corpora: Path, model: ScoredModel
) -> None:
    result, curves = run(model, clip_corpora, ["far"])
    found = result["corpora"]["far"]
    bundle = load_bundle("open")
    loaded = Model(bundle)
    right = []
    for path in sorted((clip_corpora / "far").glob("*.flac")):
        if path.stem[5] in EMOTIONS:
            said = loaded.recognize(path).label
            right.append(said == EMOTIONS[path.stem[5]])
    assert (found["n"], found["dropped"]) == (5, {"boredom": 1})
    assert found["WAR"] == pytest.approx(100 * np.mean(right))
    assert found["steps"]["uncertain"] == bundle.thresholds.uncertain
    assert list(found["languages"]) == ["German"]
    assert len(curves["far"][0]) == found["steps"]["n"]
    assert set(found["speakers"]) == {"03", "08", "10", "11", "15"}
    graphs = result["model"]["graphs"]
    assert graphs["head.onnx"] == bundle.manifest["files"]["head.onnx"]
    text = table(result)
    assert "dropped: 1 boredom" in text
    assert text.count("\n") > 20


def test_a_checkpoint_says_the_same_as_its_bundle(
    clip_corpora: Path, model: ScoredModel
) -> None:
    checkpoint = load_scored_model(str(CHECKPOINT))
    assert checkpoint.speakers == model.speakers
    assert checkpoint.corpora == model.corpora
    assert checkpoint.fitted_to == model.fitted_to == {"ravdess", "emotale"}
    assert checkpoint.calibration.temperatures == (1.0,) * 25
    ours, theirs = (run(j, clip_corpora, ["far"])[0] for j in (model, checkpoint))
    for key in ("n", "recall", "confusion_matrix"):
        assert ours["corpora"]["far"][key] == theirs["corpora"]["far"][key]


def test_what_the_model_was_trained_on_is_not_zero_shot(
    clip_corpora: Path, model: ScoredModel, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="emodb: the model was trained on it"):
        run(model, clip_corpora, ["far", "emodb"])
    with pytest.raises(ConfigError, match="a bundle is calibrated"):
        load_scored_model("open", tmp_path / "crossval.json")
    (tmp_path / "crossval.json").write_text("{}")
    with pytest.raises(ConfigError, match="no cross-validation result: 'config'"):
        load_scored_model(str(CHECKPOINT), tmp_path / "crossval.json")
    with pytest.raises(ModelError, match="there is no model"):
        load_scored_model("gone")


def test_a_corpus_that_the_model_was_fitted_to_is_told_from_others(
    clip_corpora: Path, model: ScoredModel, tmp_path: Path
) -> None:
    for name in ("ravdess", "far"):
        shutil.copytree(clip_corpora / "far", tmp_path / name)
    fitted = run(model, tmp_path, ["ravdess", "far"])[0]
    assert fitted["fitted_to"] == ["ravdess"]
    assert "; looked at in development: ravdess; " in fitted["protocol"]
    assert "taken for, was measured on ravdess, too," in fitted["protocol"]
    assert "measured for what is set after it: ravdess;" in table(fitted)
    alone = run(model, tmp_path, ["far"])[0]
    assert alone["fitted_to"] == []
    assert alone["protocol"].startswith("corpora that are not in training; whole clips")
    assert "set after it" not in table(alone)


def test_the_svm_learns_from_the_clips_of_the_model(
    clip_corpora: Path, model: ScoredModel
) -> None:
    clips = training_clips(model, clip_corpora)
    # Boredom is none of its classes, and these speakers are none of CREMA-D's.
    assert len(clips) == 5
    assert {c.corpus for c in clips} == {"emodb"}
    assert len(model.speakers) == 10 + 63


def utterances(corpus: str, emotions: Sequence[str]) -> list[Utterance]:
    return [
        Utterance(corpus, Path(f"{i}.wav"), f"s{i % 4}", "male", emotion, "", "")
        for i, emotion in enumerate(emotions)
    ]


def test_each_scaling_is_what_it_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # One feature tells the classes apart; in the other corpus it is shifted so far that
    # by the source's scale all of it is happy.
    labels = ("angry", "happy")
    train = utterances("near", ["angry", "happy"] * 20)
    test = utterances("far", ["angry", "happy"] * 8)

    def features(
        clips: Sequence[Utterance], feature_set: str, cache: Path
    ) -> np.ndarray:
        assert (feature_set, cache) == ("compare", tmp_path)
        shift = 50.0 if clips[0].corpus == "far" else 0.0
        return np.array(
            [
                [labels.index(c.emotion) + shift, 0.1 * (i % 3)]
                for i, c in enumerate(clips)
            ]
        )

    monkeypatch.setattr(opensmile_svm, "functionals", features)
    ours = [0, 1] * 4 + [0, 0] * 4
    found = opensmile_svm.opensmile_svm(train, test, ours, labels, tmp_path)
    assert found["source-scale"]["UAR"] == 50.0
    assert found["source-scale"]["recall"] == {"angry": 0.0, "happy": 100.0}
    assert found["own-scale"]["UAR"] == 100.0
    # The model has all angry ones, and half of the happy ones: 75 percent.
    assert found["source-scale"]["lead"] == 25.0
    assert found["own-scale"]["lead"] == -25.0
    low, high = found["own-scale"]["lead_interval"]
    assert low <= -25.0 <= high
