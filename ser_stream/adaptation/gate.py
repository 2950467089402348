"""Whether what a round made may take over: a pure decision on its evidence."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Evidence = Mapping[str, Any]
"""What the child measured of a candidate; see `ser_stream.adaptation.child`."""
RECENT = 10
"""Earlier rounds whose reservoirs a candidate is compared with."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse, or merely how different, a candidate may be."""

    least_canaries: int = 30
    """Canary windows under which nothing is proven."""
    canary_loss: float = 0.05
    """Most that the unweighted recall on the canary windows may fall in a round: a few
    dozen windows leave that much to chance, and what chance gave may go again, ..."""
    canary_loss_total: float = 0.02
    """... but never to so much less than before any adaptation."""
    ece_rise: float = 0.05
    """Most that the error of the confidence may rise on the canary windows."""
    most_share: float = 0.8
    """Share of one class in what was heard that is a collapse, ..."""
    share_rise: float = 0.15
    """... unless the model said nearly as much of that class before."""
    least_entropy: float = 0.4
    """Least entropy of the scores, as a part of what it was before."""
    entropy_rise: float = 0.2
    """Most that the entropy, 0 to 1, may rise: a model that knows nothing any more."""
    least_agreement: float = 0.4
    """Share of the windows heard that must be called what they were called before."""
    most_change: float = 0.3
    """Change of the parameters in a round, as a part of their length, ..."""
    most_change_total: float = 0.6
    """... and since the model that everything began with."""
    parity: float = 1e-3
    """Most that the graphs' logits may differ from those of the trained network."""


def verdict(
    evidence: Evidence,
    limits: Limits | None = None,
    earlier: Sequence[Evidence] = (),
) -> str | None:
    """None if a candidate may take over, else why not, with the numbers.

    Args:
        evidence: of the candidate. What is missing, or is no number, is a reason.
        limits: the default ones unless given.
        earlier: evidence of earlier rounds, accepted or not, oldest first.
    """
    limits = limits or Limits()
    # Others have been measured with other canary windows.
    earlier = [one for one in earlier if one.get("pack") == evidence.get("pack")]
    reasons = []
    for check in _CHECKS:
        try:
            reason = check(evidence, limits, earlier)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"the evidence is incomplete: {error}"
        if reason is not None and reason not in reasons:
            reasons.append(reason)
    return "; ".join(reasons) or None


def summary(evidence: Evidence) -> str:
    """What an accepted round did, in a line for people."""
    before, after = evidence["canary_uar_before"], evidence["canary_uar_after"]
    return (
        f"canary recall {_percent(before)} to {_percent(after)}; "
        f"{_percent(1 - evidence['agreement'])} of "
        f"{evidence['reservoir_windows']} windows are called something else now"
    )


def _canaries(e: Evidence, limits: Limits, _earlier: Sequence[Evidence]) -> str | None:
    n = _number(e, "canary_windows")
    if n < limits.least_canaries:
        return f"only {n:g} canary windows; needed: {limits.least_canaries}"
    before, after = _number(e, "canary_uar_before"), _number(e, "canary_uar_after")
    if before - after > limits.canary_loss:
        return (
            f"canary recall falls from {_percent(before)} to {_percent(after)}; "
            f"allowed: {100 * limits.canary_loss:.1f} points"
        )
    base = _number(e, "canary_uar_base")
    if base - after > limits.canary_loss_total:
        return (
            f"canary recall is {_percent(after)}, and was {_percent(base)} before any "
            f"adaptation; allowed: {100 * limits.canary_loss_total:.1f} points"
        )
    low, high = _interval(e, "canary_interval")
    if high < 0:
        return (
            f"canary recall falls by {-high:.1f} to {-low:.1f} points (95 % interval): "
            "that is no chance"
        )
    return None


def _calibration(
    e: Evidence, limits: Limits, _earlier: Sequence[Evidence]
) -> str | None:
    before, after = _number(e, "canary_ece_before"), _number(e, "canary_ece_after")
    if after - before > limits.ece_rise:
        return (
            f"the error of the confidence rises from {before:.3f} to {after:.3f}; "
            f"allowed: {limits.ece_rise:g} more"
        )
    return None


def _balance(e: Evidence, limits: Limits, earlier: Sequence[Evidence]) -> str | None:
    before = _shares(e["reservoir_shares_before"])
    after = _shares(e["reservoir_shares_after"])
    if len(before) != len(after):
        raise ValueError("shares of other classes before and after")
    top = max(range(len(after)), key=after.__getitem__)
    shares = [before[top]]
    for one in earlier[-RECENT:]:
        others = one.get("reservoir_shares_before")
        if isinstance(others, list) and len(others) == len(after):
            shares.append(_shares(others)[top])
    if after[top] > limits.most_share and after[top] - min(shares) > limits.share_rise:
        return (
            f"one class takes {_percent(after[top])} of what was heard, and took "
            f"{_percent(min(shares))}; a collapse"
        )
    return None


def _entropy(e: Evidence, limits: Limits, earlier: Sequence[Evidence]) -> str | None:
    name = "reservoir_entropy_before"
    before = [_number(e, name), *_numbers(earlier[-RECENT:], name)]
    after = _number(e, "reservoir_entropy_after")
    if after < limits.least_entropy * max(before):
        return (
            f"the entropy of the scores falls from {max(before):.3f} to {after:.3f}; "
            f"allowed: {limits.least_entropy:g} of it"
        )
    if after - min(before) > limits.entropy_rise:
        return (
            f"the entropy of the scores rises from {min(before):.3f} to {after:.3f}; "
            f"allowed: {limits.entropy_rise:g} more"
        )
    return None


def _change(e: Evidence, limits: Limits, _earlier: Sequence[Evidence]) -> str | None:
    agreement = _number(e, "agreement")
    if agreement < limits.least_agreement:
        return (
            f"only {_percent(agreement)} of what was heard are called what they were "
            f"called before; needed: {_percent(limits.least_agreement)}"
        )
    change = _number(e, "parameter_change")
    if change > limits.most_change:
        return (
            f"the parameters change by {_percent(change)}; allowed: "
            f"{_percent(limits.most_change)}"
        )
    if "parameter_change_base" in e:
        total = _number(e, "parameter_change_base")
        if total > limits.most_change_total:
            return (
                f"the parameters have changed by {_percent(total)} in all; allowed: "
                f"{_percent(limits.most_change_total)}"
            )
    return None


def _parity(e: Evidence, limits: Limits, _earlier: Sequence[Evidence]) -> str | None:
    parity = _number(e, "parity")
    if parity > limits.parity:
        return (
            f"the graphs' logits differ by {parity:.2g} from the network's; allowed: "
            f"{limits.parity:g}"
        )
    return None


_CHECKS: tuple[Callable[[Evidence, Limits, Sequence[Evidence]], str | None], ...] = (
    _canaries,
    _calibration,
    _balance,
    _entropy,
    _change,
    _parity,
)


def _number(evidence: Evidence, name: str) -> float:
    # A comparison with NaN is never true, and so would never be a reason.
    value = float(evidence[name])
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


def _interval(e: Evidence, name: str) -> tuple[float, float]:
    low, high = (float(bound) for bound in e[name])
    if not low <= high:  # also if one is no number
        raise ValueError(f"{name} is {e[name]!r}")
    return low, high


def _numbers(earlier: Sequence[Evidence], name: str) -> list[float]:
    """Of those that have it: a round that was stopped has no evidence."""
    values = [one.get(name) for one in earlier]
    return [v for v in values if isinstance(v, int | float) and math.isfinite(v)]


def _shares(values: Sequence[Any]) -> list[float]:
    shares = [float(value) for value in values]
    if len(shares) < 2 or not abs(sum(shares) - 1.0) < 0.01:
        raise ValueError(f"shares are {shares}")
    return shares


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
