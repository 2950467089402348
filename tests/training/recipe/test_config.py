"""The settings of a training run: what is misspelt is named."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from ser_stream.errors import ConfigError
from ser_stream.pipeline.floor import FloorConfig
from tests.helpers.paths import ROOT
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.teacher.config import TeacherConfig

CONFIGS = sorted((ROOT / "training/configs").glob("*.toml"))
PLAIN: dict[str, Any] = {"name": "tiny", "corpora": [{"name": "emodb"}]}


def test_a_file_of_settings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        epochs = 3
        labels = ["happy", "sad"]
        pitch = false
        [model]
        dropout = [0.1, 0.2, 0.3]
        [normalise]
        kind = "fixed"
        [augment]
        level_dbfs = [-40.0, -20.0]
        [[corpora]]
        name = "emodb"
        [[corpora]]
        name = "other"
        only = ["sad"]
        weight = 0.5
        """
    )
    config = TrainConfig.read(path)
    assert (config.name, config.epochs) == ("mine", 3)
    assert config.labels == ("happy", "sad")
    assert config.model.dropout == (0.1, 0.2, 0.3)
    assert (config.model.n_classes, config.model.n_channels) == (2, 1)
    assert config.front_end.n_features == 39
    assert config.augment.level_dbfs == (-40.0, -20.0)
    assert config.front_end.normalise.kind == "fixed"
    assert config.corpora == (
        CorpusConfig("emodb"),
        CorpusConfig("other", only=("sad",), weight=0.5),
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_settings_that_come_with_the_project_can_be_read(path: Path) -> None:
    config = TrainConfig.read(path)
    assert len(config.labels) == config.model.n_classes


def test_the_project_comes_with_settings() -> None:
    assert "open" in [path.stem for path in CONFIGS]


def test_settings_survive_their_plain_form() -> None:
    values = {
        **PLAIN,
        "corpora": [
            {"name": "emodb", "only": ["sad"]},
            {"name": "far", "unlabelled": True},
        ],
        "floor": {"below_peak_db": 50.0},
        "teacher": {"components": 8},
        "model": {"speaker_mean": True},
        "augment": {"band_limit": 0.5},
    }
    config = TrainConfig.from_dict(values)
    assert config.floor == FloorConfig(below_peak_db=50.0)
    assert config.teacher == TeacherConfig(components=8)
    assert TrainConfig.from_dict(config.to_dict()) == config


def test_what_is_off_is_not_said() -> None:
    # So that the checkpoints of earlier versions are those of the same configuration.
    values = TrainConfig.from_dict(PLAIN).to_dict()
    assert not {"floor", "teacher"} & values.keys()
    assert "band_limit" not in values["augment"]
    assert "speaker_mean" not in values["model"]
    assert values["corpora"][0].keys() == {"name", "only", "weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, "unknown key 'epoch'; allowed: name, corpora, .*epochs"),
        ({"model": {"filters": 3}}, r"'filters' in \[model\]; allowed: .*n_filters"),
        ({"augment": {"gain": 3}}, r"'gain' in \[augment\]; allowed: .*level_dbfs"),
        ({"normalise": {"sort": 3}}, r"'sort' in \[normalise\]; allowed: kind"),
        (
            {"corpora": [{"name": "emodb", "classes": []}]},
            r"'classes' in \[corpora\]; allowed: name, only, weight",
        ),
        (
            {"normalise": {"kind": "median"}},
            "'median' is unknown; allowed: fixed, peak",
        ),
        ({"corpora": []}, r"needs \[\[corpora\]\]"),
        ({"model": {"n_classes": 3}}, "n_classes is 3, but there are 5 labels"),
        ({"model": {"n_channels": 1}}, "n_channels is 1; it must be 2 with pitch"),
        ({"augment": {"snr_db": [5.0]}}, r"snr_db is \[5.0\]; it must be \[lowest"),
        ({"augment": {"noise_probability": 7.0}}, "noise_probability 7.0; allowed"),
        ({"corpora": [{"name": "emodb", "only": ["hapy"]}]}, "emodb: only is .'hapy'"),
        (
            {"corpora": [{"name": "emodb", "unlabelled": True}]},
            r"emodb: unlabelled = true; it needs a \[teacher\]",
        ),
        (
            {"labels": ["angry", "joy", "sad"]},
            r"labels is .*; 'joy' is called 'happy'; allowed, each once: angry, .*sad",
        ),
        ({"labels": ["hapy", "sad"]}, r"labels is \['hapy', 'sad'\]; allowed, each"),
        ({"labels": ["happy", "happy", "sad"]}, "labels is .*; allowed, each once"),
        ({"labels": []}, r"labels is \[\]; allowed, each once: angry"),
        (
            {
                "corpora": [
                    {"name": "emodb", "only": ["happy"]},
                    {"name": "emodb", "only": ["sad"]},
                ]
            },
            r"names emodb twice; allowed: one \[\[corpora\]\] for each, .*`only`",
        ),
        ({"augment": {"band_limit": 2.0}}, "band_limit is 2.0; allowed: 0 to 1"),
        ({"floor": {"below_peak_db": -3.0}}, "below_peak_db is -3.0.*above 0"),
        ({"floor": {"peak": 1}}, r"'peak' in \[floor\]; allowed: below_peak_db"),
        ({"teacher": {"components": 0}}, "components is 0; allowed: 1 or more"),
        ({"teacher": {"soft_weight": -1.0}}, "soft_weight is -1.0; allowed: 0 or more"),
        (
            {"augment": {"mixup": 0.2}, "teacher": {}},
            r"mixup is 0.2; allowed with \[teacher\] or model.speaker_mean: 0",
        ),
        ({"seed": -1}, "seed is -1, .*; allowed: 0 or more"),
        ({"learning_rate": -1.0}, "learning_rate -1; allowed: .* more than 0"),
        ({"augment": {"variants": [0.5, 0.5]}}, "shares with sum 1, of original"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_dict({**PLAIN, **change})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = = 3", "mine.toml: Invalid value"),
        (None, "mine.toml.*No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    text: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        TrainConfig.read(path)
