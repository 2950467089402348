"""What may take over, and what may not, with the reason."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from ser_stream.adaptation.acceptance import Limits, summary, verdict
from tests.helpers.tiny_child import GOOD


def judged(*earlier: dict[str, Any], **different: Any) -> str | None:
    return verdict(GOOD | different, earlier=earlier)


def test_what_is_good_passes_and_is_summed_up() -> None:
    assert judged() is None
    assert summary(GOOD) == (
        "canary recall 80.0 % to 81.0 %; 10.0 % of 50 windows are called something "
        "else now"
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("canary_uar_after", 0.74, "canary recall falls from 80.0 % to 74.0 %"),
        ("canary_uar_base", 0.86, "canary recall is 81.0 %, and was 86.0 %"),
        ("canary_interval", [-16.0, -2.0], "falls by 2.0 to 16.0 points (95 %"),
        ("canary_windows", 12, "only 12 canary windows; needed: 30"),
        ("canary_ece_after", 0.2, "error of the confidence rises from 0.100 to 0.200"),
        (
            "reservoir_shares_after",
            [0.96, 0.01, 0.01, 0.01, 0.01],
            "one class takes 96.0 % of the recent speech, and took 20.0 %; a collapse",
        ),
        ("reservoir_entropy_after", 0.05, "falls from 0.500 to 0.050"),
        ("reservoir_entropy_after", 0.98, "rises from 0.500 to 0.980"),
        ("agreement", 0.2, "only 20.0 % of the recent windows"),
        ("parameter_change", 0.5, "the parameters change by 50.0 %"),
        ("parameter_change_base", 0.9, "have changed by 90.0 % in all"),
        ("agreement_base", 0.25, "what they were called before any adaptation"),
        ("parity", 0.5, "logits differ by 0.5 from the network's"),
    ],
)
def test_each_fault_is_a_reason_with_its_numbers(
    name: str, value: Any, reason: str
) -> None:
    said = judged(**{name: value})
    assert said is not None
    assert reason in said


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, math.nan, "0.5", -101, 1e400])
def test_what_was_not_measured_does_not_pass(name: str, value: Any) -> None:
    said = judged(**{name: value})
    assert said is not None
    assert "evidence is incomplete" in said
    without = {key: GOOD[key] for key in GOOD if key != name}
    assert "evidence is incomplete" in (verdict(without) or "")


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"canary_heard"}))
def test_yes_is_no_number(name: str) -> None:
    assert "evidence is incomplete" in (judged(**{name: True}) or "")


@pytest.mark.parametrize("name", ["canary_uar", "canary_ece", "reservoir_entropy"])
@pytest.mark.parametrize("which", ["base", "before", "after"])
def test_what_cannot_be_does_not_pass(name: str, which: str) -> None:
    said = judged(**{f"{name}_{which}": 1.5}) or ""
    assert f"{name}_{which} is 1.5" in said


def test_all_reasons_are_told() -> None:
    said = judged(canary_uar_after=0.5, agreement=0.1) or ""
    assert said.startswith("canary recall falls")
    assert "; only 10.0 %" in said


def test_small_steps_do_not_add_up_to_a_long_way_down() -> None:
    base, uar = 0.8, 0.8
    for _ in range(10):
        step = {
            "canary_uar_base": base,
            "canary_uar_before": uar,
            "canary_uar_after": uar - 0.015,
        }
        if judged(**step) is not None:
            break
        uar -= 0.015
    assert uar > base - Limits().canary_loss_total - 1e-9


def ratchet(name: str, base: Any, step: Callable[[Any], Any]) -> Any:
    """How far rounds of the same small step come, when each begins from the last."""
    value, history = base, list[dict[str, Any]]()
    for _ in range(100):
        evidence = GOOD | {
            f"{name}_base": base,
            f"{name}_before": value,
            f"{name}_after": step(value),
        }
        if verdict(evidence, earlier=history) is not None:
            return value
        history.append(evidence)
        value = step(value)
    pytest.fail("it never ends")


def test_confidence_does_not_lose_its_worth_bit_by_bit() -> None:
    assert ratchet("canary_ece", 0.05, lambda value: value + 0.045) < 0.15


@pytest.mark.parametrize("factor", [0.93, 1.05])
def test_entropy_does_not_creep_away(factor: float) -> None:
    end = ratchet("reservoir_entropy", 0.4, lambda value: min(1.0, factor * value))
    assert 0.4 * 0.4 <= end <= 0.4 + 0.2


@pytest.mark.parametrize(("base", "most"), [(0.2, 0.6), (0.5, 0.8), (0.7, 0.85)])
def test_a_class_does_not_take_over_bit_by_bit(base: float, most: float) -> None:
    def more(shares: list[float]) -> list[float]:
        share = min(1.0, shares[0] + 0.013)
        return [share, *[(1 - share) / 4] * 4]

    end = ratchet("reservoir_shares", [base, *[(1 - base) / 4] * 4], more)
    assert most - 0.02 < end[0] <= most + 1e-9


def test_a_canary_that_is_in_training_may_be_forgotten_a_little() -> None:
    lost = {"canary_uar_base": 0.84}
    assert judged(**lost, canary_heard=True) is None
    assert "was 84.0 % before any adaptation; allowed: 2.0 points" in (
        judged(**lost, canary_heard=False) or ""
    )
    assert "allowed: 4.0 points" in (
        judged(canary_uar_base=0.86, canary_heard=True) or ""
    )


def test_what_chance_gave_it_may_take_again_but_not_more() -> None:
    lucky = {"canary_uar_base": 0.8, "canary_uar_before": 0.84}
    assert judged(**lucky, canary_uar_after=0.80) is None
    assert "falls from 84.0 %" in (judged(**lucky, canary_uar_after=0.785) or "")


def test_a_collapse_that_creeps_in_is_seen() -> None:
    history = [
        GOOD | {"reservoir_shares_before": [share, *[(1 - share) / 4] * 4]}
        for share in (0.3, 0.5, 0.65, 0.75)
    ]
    step = {
        "reservoir_shares_base": [0.75, 0.0625, 0.0625, 0.0625, 0.0625],
        "reservoir_shares_before": [0.75, 0.0625, 0.0625, 0.0625, 0.0625],
        "reservoir_shares_after": [0.85, 0.05, 0.05, 0.05, 0.0],
    }
    assert judged(**step) is None
    assert "took 30.0 %; a collapse" in (judged(*history, **step) or "")


def test_a_room_with_one_emotion_is_no_collapse() -> None:
    angry = [0.92, 0.02, 0.02, 0.02, 0.02]
    shares = {f"reservoir_shares_{which}": angry for which in ("base", "before")}
    assert judged(**shares, reservoir_shares_after=angry) is None


def test_rounds_that_came_to_nothing_leave_no_evidence_to_trip_over() -> None:
    assert judged({}, {"pack": None, "canary_uar_before": None}) is None


def test_the_limits_are_for_the_caller_to_set() -> None:
    strict = Limits(most_change=0.01)
    assert "allowed: 1.0 %" in (verdict(GOOD, strict) or "")
