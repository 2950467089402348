"""Whether a candidate may replace the active version, decided on its evidence alone."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Evidence = Mapping[str, Any]
"""What the child measured of a candidate; see `ser_stream.adaptation.child`."""
RECENT = 10
"""Earlier rounds whose reservoirs a candidate is compared with."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much worse, or merely how different, a candidate may be.

    What may be lost in a round is bounded, and so is what all rounds together may lose
    against the model that everything began with: a hundred small steps are a long way.
    """

    least_canaries: int = 30
    """Canary windows under which nothing is proven."""
    canary_loss: float = 0.05
    """Most that the unweighted recall on the canary windows may fall in a round: a few
    dozen windows leave that much to chance, and what chance gave may go again, ..."""
    canary_loss_total: float = 0.02
    """... but never to so much less than before any adaptation, ..."""
    canary_loss_total_heard: float = 0.04
    """... or so much, where the canary windows are in training: what was learnt by
    heart fades with any change, and that is no loss on other speakers."""
    ece_rise: float = 0.05
    """Most that the error of the confidence may rise on the canary windows in a round,
    ..."""
    ece_rise_total: float = 0.1
    """... and over what it was before any adaptation."""
    most_share: float = 0.8
    """Share of one class in the reservoir that is a collapse, ..."""
    share_rise: float = 0.15
    """... unless the model said nearly as much of that class before."""
    share_rise_total: float = 0.4
    """Most that the share of a class may rise over what it was before any adaptation,
    wherever it ends."""
    least_entropy: float = 0.4
    """Least entropy of the scores, as a part of what it was before."""
    entropy_rise: float = 0.2
    """Most that the entropy, 0 to 1, may rise: a model that knows nothing any more."""
    least_agreement: float = 0.4
    """Share of the reservoir's windows that must keep their label, ..."""
    least_agreement_total: float = 0.3
    """... and what the model that everything began with calls them."""
    most_change: float = 0.3
    """Change of the parameters in a round, as a part of their length, ..."""
    most_change_total: float = 0.6
    """... and since the model that everything began with."""
    parity: float = 1e-3
    """Most that the graphs' logits may differ from those of the trained network."""

    def total_loss(self, canary_heard: bool) -> float:
        """Most that the canary recall may be under what it was before any adaptation.

        `canary_heard`: whether these windows are in the training of the model.
        """
        return self.canary_loss_total_heard if canary_heard else self.canary_loss_total


def verdict(
    evidence: Evidence,
    limits: Limits | None = None,
    earlier: Sequence[Evidence] = (),
) -> str | None:
    """None if a candidate is accepted, else why not, with the numbers.

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
        except ValueError as error:
            reason = f"the evidence is incomplete: {error}"
        if reason is not None and reason not in reasons:
            reasons.append(reason)
    return "; ".join(reasons) or None


def summary(evidence: Evidence) -> str:
    """What an accepted round did, in a readable line."""
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
    before, after, base = _of_versions(e, "canary_uar")
    if before - after > limits.canary_loss:
        return (
            f"canary recall falls from {_percent(before)} to {_percent(after)}; "
            f"allowed: {_points(limits.canary_loss)}"
        )
    allowed = limits.total_loss(_answer(e, "canary_heard"))
    if base - after > allowed:
        return (
            f"canary recall is {_percent(after)}, and was {_percent(base)} before any "
            f"adaptation; allowed: {_points(allowed)}"
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
    before, after, base = _of_versions(e, "canary_ece")
    if after - before > limits.ece_rise:
        return (
            f"the error of the confidence rises from {before:.3f} to {after:.3f}; "
            f"allowed: {limits.ece_rise:g} more"
        )
    if after - base > limits.ece_rise_total:
        return (
            f"the error of the confidence is {after:.3f}, and was {base:.3f} before "
            f"any adaptation; allowed: {limits.ece_rise_total:g} more"
        )
    return None


def _balance(e: Evidence, limits: Limits, earlier: Sequence[Evidence]) -> str | None:
    before, after, base = (
        _shares(_value(e, f"reservoir_shares_{which}"))
        for which in ("before", "after", "base")
    )
    if not len(before) == len(after) == len(base):
        raise ValueError("the shares are of different classes")
    top = max(range(len(after)), key=after.__getitem__)
    shares = [before[top], base[top]]
    for one in earlier[-RECENT:]:
        others = one.get("reservoir_shares_before")
        if isinstance(others, list) and len(others) == len(after):
            shares.append(_shares(others)[top])
    if after[top] > limits.most_share and after[top] - min(shares) > limits.share_rise:
        return (
            f"one class takes {_percent(after[top])} of the recent speech, and took "
            f"{_percent(min(shares))}; a collapse"
        )
    for share, first in zip(after, base, strict=True):
        if share - first > limits.share_rise_total:
            return (
                f"one class takes {_percent(share)} of the recent speech, and took "
                f"{_percent(first)} of it before any adaptation; allowed: "
                f"{_points(limits.share_rise_total)} more"
            )
    return None


def _entropy(e: Evidence, limits: Limits, earlier: Sequence[Evidence]) -> str | None:
    name = "reservoir_entropy"
    before, after, base = _of_versions(e, name)
    known = [before, base, *_numbers(earlier[-RECENT:], f"{name}_before")]
    if after < limits.least_entropy * max(known):
        return (
            f"the entropy of the scores falls from {max(known):.3f} to {after:.3f}; "
            f"allowed: {limits.least_entropy:g} of it"
        )
    if after - min(known) > limits.entropy_rise:
        return (
            f"the entropy of the scores rises from {min(known):.3f} to {after:.3f}; "
            f"allowed: {limits.entropy_rise:g} more"
        )
    return None


def _change(e: Evidence, limits: Limits, _earlier: Sequence[Evidence]) -> str | None:
    if _number(e, "reservoir_windows") < 1:
        raise ValueError("it rests on no windows of speech")
    for name, when, least in (
        ("agreement", "before", limits.least_agreement),
        ("agreement_base", "before any adaptation", limits.least_agreement_total),
    ):
        agreement = _number(e, name, 1.0)
        if agreement < least:
            return (
                f"only {_percent(agreement)} of the recent windows are called what "
                f"they were called {when}; needed: {_percent(least)}"
            )
    change = _number(e, "parameter_change")
    if change > limits.most_change:
        return (
            f"the parameters change by {_percent(change)}; allowed: "
            f"{_percent(limits.most_change)}"
        )
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
ROUNDING = 1e-6
"""Error by which a mean of numbers up to 1 may exceed 1."""


def _value(evidence: Evidence, name: str) -> Any:
    if name not in evidence:
        raise ValueError(f"{name} is missing")
    return evidence[name]


def _answer(evidence: Evidence, name: str) -> bool:
    value = _value(evidence, name)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}")
    return value


def _number(evidence: Evidence, name: str, most: float = math.inf) -> float:
    """One from 0 to `most`, and no `true` either."""
    return _checked(_value(evidence, name), name, 0.0, most + ROUNDING)


def _of_versions(e: Evidence, name: str) -> Iterator[float]:
    """The values, 0 to 1, of the active version, of the candidate, and of the base."""
    return (_number(e, f"{name}_{one}", 1.0) for one in ("before", "after", "base"))


def _interval(e: Evidence, name: str) -> tuple[float, float]:
    bounds = _value(e, name)
    if not isinstance(bounds, Sequence) or len(bounds) != 2:
        raise ValueError(f"{name} is {bounds!r}")
    low, high = (_checked(bound, name, -100.0, 100.0) for bound in bounds)
    if low > high:
        raise ValueError(f"{name} is {bounds!r}")
    return low, high


def _numbers(earlier: Sequence[Evidence], name: str) -> list[float]:
    """The values that there are: a round that was stopped has no evidence."""
    values = [one.get(name) for one in earlier]
    return [v for v in values if isinstance(v, int | float) and math.isfinite(v)]


def _shares(values: Any) -> list[float]:
    if not isinstance(values, Sequence) or len(values) < 2:
        raise ValueError(f"shares are {values!r}")
    shares = [_checked(value, "a share", 0.0, 1.0 + ROUNDING) for value in values]
    if abs(sum(shares) - 1.0) > 0.01:
        raise ValueError(f"shares are {shares}")
    return shares


def _checked(value: Any, name: str, low: float, high: float) -> float:
    # A comparison with NaN is never true, and so would never be a reason.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
