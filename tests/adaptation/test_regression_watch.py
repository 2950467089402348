"""The version before scores the same speech; when it is gone back to, and when not."""

from dataclasses import replace

import numpy as np
import pytest

from ser_stream.adaptation.regression_watch import Watch, WatchLimits, entropy
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray, SpeechWindow
from tests.helpers.speech_windows import heard_minutes


@pytest.fixture(scope="module")
def before() -> OnnxRecognizer:
    return OnnxRecognizer(load_bundle("open"))


def said(scores: FloatArray, window: SpeechWindow) -> SpeechWindow:
    return replace(window, scores=scores)


def test_the_version_before_scores_as_the_pipeline_did(
    before: OnnxRecognizer,
) -> None:
    watch = Watch(before)
    for window in heard_minutes(2):
        watch.feed(window)
    assert watch.verdict() is None
    status = watch.status()
    assert (status["windows"], status["agreement"]) == (52, 1.0)
    assert status["entropy"] == pytest.approx(status["entropy_before"], abs=1e-3)


def test_one_class_for_everything_is_rolled_back_after_enough_windows(
    before: OnnxRecognizer,
) -> None:
    watch = Watch(before)
    one = np.array([0.6, 0.1, 0.1, 0.1, 0.1], np.float32)
    reasons = []
    for window in heard_minutes(2):
        watch.feed(said(one, window))
        reasons.append(watch.verdict())
    assert set(reasons[:39]) == {None}
    assert (reasons[39] or "").startswith("only ")
    assert "of the last 40 windows are called what the version before" in (
        reasons[39] or ""
    )


def test_a_collapse_that_agrees_often_enough_is_one_still(
    before: OnnxRecognizer,
) -> None:
    watch = Watch(before, WatchLimits(least_agreement=0.0, entropy_rise=1.0))
    one = np.array([0.6, 0.1, 0.1, 0.1, 0.1], np.float32)
    for window in heard_minutes(2):
        watch.feed(said(one, window))
    assert "one class takes 100 %" in (watch.verdict() or "")


@pytest.mark.parametrize("sharpness", [0.05, 40.0])
def test_a_version_that_knows_nothing_or_doubts_nothing_is_gone_back_from(
    before: OnnxRecognizer, sharpness: float
) -> None:
    watch = Watch(before)
    for window in heard_minutes(2):
        scores = window.scores**sharpness
        watch.feed(said(scores / scores.sum(), window))
    assert watch.status()["agreement"] == 1.0
    assert "the entropy of the scores is" in (watch.verdict() or "")


def test_what_is_long_ago_does_not_count(before: OnnxRecognizer) -> None:
    watch = Watch(before, WatchLimits(least_windows=20, windows=26))
    minutes = heard_minutes(2)
    for window in minutes[:26]:
        watch.feed(said(np.full(5, 0.2, np.float32), window))
    assert watch.verdict() is not None
    for window in minutes[26:]:
        watch.feed(window)
    assert watch.verdict() is None


def test_no_windows_are_no_verdict(before: OnnxRecognizer) -> None:
    watch = Watch(before)
    assert watch.verdict() is None
    assert watch.status() == {"windows": 0}


def test_entropy_is_0_for_one_class_and_1_for_all_alike() -> None:
    assert entropy(np.array([1, 0, 0, 0, 0], np.float32)) < 1e-6
    assert entropy(np.full(5, 0.2, np.float32)) == pytest.approx(1.0)
