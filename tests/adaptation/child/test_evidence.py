"""Evidence for or against a candidate, on scores made by hand."""

import copy

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch

from ser_stream.adaptation.child.evidence import (
    WindowScores,
    canary_evidence,
    network_scores,
    parameter_change,
    parity,
    reservoir_evidence,
)
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.adaptation.regression_watch import entropy
from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.pipeline.values import FloatArray

SURE = 0.9


def canary(labels: list[int], speakers: list[int], n_classes: int) -> LabelledWindows:
    n = len(labels)
    return LabelledWindows(
        np.zeros((n, 230, 78), np.float32),
        np.full(n, 25),
        np.array(labels),
        np.array(speakers),
        np.ones((n, n_classes), np.bool_),
    )


def saying(classes: list[int], n_classes: int, sure: float = SURE) -> FloatArray:
    """Scores that say these classes, the rest shared alike."""
    scores = np.full((len(classes), n_classes), (1 - sure) / (n_classes - 1))
    scores[np.arange(len(classes)), classes] = sure
    return scores.astype(np.float32)


def test_the_canary_is_counted_by_class() -> None:
    # Three quarters of the windows are of one class; recall is the mean over classes.
    windows = canary([0, 0, 0, 0, 0, 0, 1, 1], [0, 1] * 4, 3)
    before = saying([0, 0, 0, 0, 0, 0, 1, 1], 3)
    after = saying([0, 0, 0, 0, 0, 2, 0, 0], 3)
    wrong = saying([1] * 6 + [0, 0], 3)
    found = canary_evidence(wrong, before, after, windows)
    assert found["canary_windows"] == 8
    assert found["canary_uar_base"] == 0.0
    assert found["canary_uar_before"] == 1.0
    assert found["canary_uar_after"] == pytest.approx((5 / 6 + 0) / 2)
    # Right every time at 0.9: too modest by a tenth. Then 5 of 8 right.
    assert found["canary_ece_before"] == pytest.approx(0.1, abs=1e-6)
    assert found["canary_ece_after"] > 0.2
    assert found["canary_ece_base"] == pytest.approx(SURE, abs=1e-6)


def test_the_harm_is_the_lower_end_of_what_speakers_by_chance_would_show() -> None:
    labels = [0, 1] * 20
    windows = canary(labels, [i // 4 for i in range(40)], 2)
    right, wrong = saying(labels, 2), saying([1 - label for label in labels], 2)
    assert canary_evidence(right, right, right, windows)["canary_interval"] == [
        0.0,
        0.0,
    ]
    assert canary_evidence(right, right, wrong, windows)["canary_interval"] == [
        -100.0,
        -100.0,
    ]
    assert canary_evidence(wrong, wrong, right, windows)["canary_interval"] == [
        100.0,
        100.0,
    ]
    # One person of ten is not understood any more: 10 points, more by bad luck.
    one = right.copy()
    one[:4] = wrong[:4]
    found = canary_evidence(right, right, one, windows)
    assert found["canary_uar_after"] == pytest.approx(0.9)
    assert -50 < found["canary_interval"][0] < -10
    assert canary_evidence(right, right, one, windows) == found  # no luck of its own


def test_only_classes_that_a_corpus_speaks_of_are_asked_for() -> None:
    windows = canary([1, 2, 0], [0, 0, 1], 3)
    windows.allowed[:2, 0] = False
    # All say class 0; among the allowed ones the first two say 1.
    scores = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]], np.float32)
    found = canary_evidence(scores, scores, scores, windows)
    assert found["canary_uar_after"] == pytest.approx((1 + 0 + 1) / 3)
    # Sure by 0.3 / 0.4 of two and 0.6 of the third.
    expected = (abs(0.75 - 1) + abs(0.75 - 0) + abs(0.6 - 1)) / 3
    assert found["canary_ece_after"] == pytest.approx(expected, abs=1e-6)


def test_entropy_goes_from_certainty_to_no_idea() -> None:
    scores = np.array([[1, 0, 0, 0, 0], [0.2] * 5, [0.5, 0.5, 0, 0, 0]], np.float32)
    found = entropy(scores)
    assert found == pytest.approx([0, 1, np.log(2) / np.log(5)], abs=1e-6)


def test_a_collapse_can_be_seen() -> None:
    before = saying([0, 1, 2, 3, 4] * 4, 5, sure=0.6)
    base = saying([0, 1, 2, 3, 3] * 4, 5, sure=0.7)
    found = reservoir_evidence(base, before, saying([3] * 20, 5, sure=0.999))
    assert found["reservoir_windows"] == 20
    assert found["reservoir_shares_before"] == [0.2] * 5
    assert found["reservoir_shares_after"] == [0, 0, 0, 1, 0]
    assert found["reservoir_shares_base"] == [0.2, 0.2, 0.2, 0.4, 0]
    assert found["agreement"] == 0.2
    assert found["agreement_base"] == 0.4
    assert found["reservoir_entropy_before"] > 0.7
    assert found["reservoir_entropy_after"] < 0.01
    assert found["reservoir_confidence_base"] == pytest.approx(0.7)
    assert found["reservoir_confidence_before"] == pytest.approx(0.6)
    assert found["reservoir_confidence_after"] == pytest.approx(0.999)
    unchanged = reservoir_evidence(before, before, before)
    assert unchanged["agreement"] == 1.0
    assert unchanged["reservoir_entropy_after"] == unchanged["reservoir_entropy_before"]


def test_the_change_is_a_part_of_the_length_and_statistics_do_not_count() -> None:
    model = Cpac()
    other = copy.deepcopy(model)
    assert parameter_change(model, other) == 0.0
    other.encoder.blocks[0].norm.running_mean += 1  # type: ignore[union-attr, operator]
    assert parameter_change(model, other) == 0.0
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.25)
    assert parameter_change(model, other) == pytest.approx(0.25, rel=1e-5)


def test_logits_that_are_no_numbers_are_no_parity() -> None:
    torch.manual_seed(0)
    model = Cpac(CpacConfig.listening(5)).eval()
    windows = [np.zeros((8 * 3 + 30, 78), np.float32)] * 3
    with torch.no_grad():
        logits = model(torch.zeros(3, 8 * 3 + 30, 78)).numpy()
    scores = network_scores(model, windows, (1.0, 1.0, 2.0))
    expected = torch.softmax(torch.from_numpy(logits) / 2.0, 1).numpy()
    assert scores == pytest.approx(expected, abs=1e-5)
    assert parity(model, WindowScores(logits, scores), windows) < 1e-4
    for row in range(3):
        broken = logits.copy()
        broken[row, 1] = np.nan
        assert np.isnan(parity(model, WindowScores(broken, scores), windows))
