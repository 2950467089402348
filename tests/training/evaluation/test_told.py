"""Scenes: nobody is scored on what was shown, and what helps is told from what not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.pipeline.last_layer import LastLayer
from tests.training.evaluation.test_loco import RECIPE, run_of
from training.evaluation.heard_clip import HeardClip
from training.evaluation.told.backprop_free import METHODS
from training.evaluation.told.run import lines, scored, told, unlabelled
from training.evaluation.told.scenes import HEARD, NOTHING, SHOWN, shown_before
from training.evaluation.told.voices import Voices
from training.recipe.config import CorpusConfig

LABELS = ("angry", "fear", "happy", "neutral", "sad")
N_FEATURES = 16


@pytest.fixture(scope="module")
def voices() -> Voices:
    """Four speakers, twelve clips a class, each voice off in a way of its own."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(5, N_FEATURES)).astype(np.float32)
    clips, targets, speakers = [], [], []
    for speaker in "abcd":
        off = 2.5 * rng.normal(size=N_FEATURES)
        own = weight + 1.2 * rng.normal(size=weight.shape)
        for target in range(5):
            for _ in range(12):
                features = off + own[target] + rng.normal(size=(3, N_FEATURES))
                clips.append(HeardClip(features.astype(np.float32), [10, 20, 25]))
                targets.append(target)
                speakers.append(speaker)
    zeros = np.zeros(N_FEATURES, np.float32)
    layer = LastLayer(zeros, weight, np.zeros(5, np.float32))
    means = np.array([clip.mean for clip in clips])
    return Voices(layer, LABELS, clips, means, np.array(targets), np.array(speakers))


def test_nobody_is_scored_on_what_was_shown_or_on_itself(voices: Voices) -> None:
    for scene in SHOWN:
        found = shown_before(voices, scene, np.random.default_rng(1))
        n_shown = len(voices) - len(found)
        assert n_shown == {
            "12 neutral clips enrolled": 4 * 6,  # no more than half of them
            "1 example a label": 4 * 5,
            "2 examples a label": 4 * 10,
            "5 examples a label": 4 * 25,
            "3 examples of 2 labels": 4 * 6,
            "the same, and only the mean learns, 2 labels": 4 * 6,
            "3 examples a label, of another speaker": 0,
            "the same of another, and nothing learns": 0,
        }.get(scene, 4 * 15)
    for name, history in HEARD.items():
        for i in (0, 30, 101):
            heard = history(voices, i, np.random.default_rng(2))
            assert i not in heard, name
            own = voices.speakers[heard] == voices.speakers[i]
            assert bool(own.all()) == (
                name not in ("6 clips, and 6 each of three on television",)
                and not name.startswith(("two in turn", "a guest"))
            )


def test_the_mean_and_examples_help_such_voices(voices: Voices) -> None:
    found = scored(voices, seed=98)
    assert found[NOTHING]["gain"] == 0
    assert found["10 clips"]["gain"] > 10
    assert found["10 clips"]["gain_interval"][0] > 0
    mean, taught = (
        found[name]
        for name in ("the same, and only the mean learns", "3 examples a label")
    )
    assert mean["nothing"] == taught["nothing"]  # the same clips
    assert taught["gain"] > mean["gain"] + 3
    assert taught["gain"] > found["3 examples a label, 30 % of them wrong"]["gain"]
    assert taught["gain"] > found["3 examples a label, of another speaker"]["gain"]


def test_methods_without_labels_are_scored_on_what_they_did_not_hear(
    voices: Voices,
) -> None:
    found = unlabelled(voices, seed=98)
    assert list(found) == ["all emotions", "8 of 10 neutral"]
    for rows in found.values():
        assert list(rows) == list(METHODS)
        uar = [row["UAR"] for row in rows.values()]
        assert min(uar) > 25
        assert len(set(uar)) > 2  # they do something


def test_every_corpus_left_out_is_kept_and_read_again(
    tmp_path: Path, clip_corpora: Path
) -> None:
    three = replace(RECIPE, corpora=(*RECIPE.corpora, CorpusConfig("emodb")))
    space = replace(run_of(tmp_path, clip_corpora, three), recentred=True)
    (first,) = told(space, ["far"])
    result = json.loads((tmp_path / "out/far.json").read_text())
    assert result["scenes"] == first["scenes"]
    assert set(result["scenes"]) >= set(HEARD)
    before = (tmp_path / "out/far.json").stat().st_mtime_ns
    (again,) = told(space, ["far"])
    assert (tmp_path / "out/far.json").stat().st_mtime_ns == before
    text = list(lines([again]))
    assert text[0].startswith("nothing: UAR ")
    assert len(text) == len(result["scenes"]) + len(METHODS)
