"""`stream-eval.json` -> a page of lines for a terminal."""

from collections.abc import Iterator
from typing import Any


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What was measured, group by group, with the ids and targets of the benchmark."""
    protocol = result["protocol"]
    sha = protocol["bundle_sha256"][:12]
    yield f"model {protocol['model']} ({sha}), seed {protocol['seed']}"
    if protocol["limit"] is not None:
        yield (
            f"a trial: at most {protocol['limit']} clips of each speaker and emotion"
        )
    for name, group in result["groups"].items():
        yield ""
        n = len(group["speakers"])
        yield (
            f"{name}: {group['clips']} clips, {n} speaker{'s' * (n != 1)}, judged by "
            f"{group['judged_by']}"
        )
        for section, tell in _SECTIONS.items():
            if section in group:
                yield from (f"  {text}" for text in tell(group[section]))
    if "false-alarms" in result:
        yield ""
        yield from _alarms(result["false-alarms"])


def _levels(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"M3 UAR {found['clean']['UAR']:.1f}{_between(found['clean']['UAR_interval'])};"
        f" lost by level (target 3 at most): {_lost(found)}"
    )


def _noise(found: dict[str, Any]) -> Iterator[str]:
    for family, of in found.items():
        seen = "in training" if of["seen_in_training"] else "not in training"
        yield f"M3 lost by {family} ({seen}; target 10 at 10 dB): {_lost(of)}"


def _lost(found: dict[str, Any]) -> str:
    return ", ".join(f"{k} {c['lost']:.1f}" for k, c in found["conditions"].items())


def _early(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"M4 UAR {found['at_1s']['UAR']:.1f} at 1 s of speech, "
        f"{found['at_3s']['UAR']:.1f} at 3 s: {_number(found['ratio'])}"
        f"{_between(found['ratio_interval'])} of it above chance (target 0.7)"
    )


def _changes(found: dict[str, Any]) -> Iterator[str]:
    if not found["changes"]:
        yield "M5 too few utterances for a stream with a change"
        return
    yield (
        f"M5 {found['changes']} changes in {found['streams']} streams: median delay "
        f"{_seconds(found['median_delay_s'])} (target 1.5), 90th percentile "
        f"{_seconds(found['p90_delay_s'])}, missed {100 * found['missed_share']:.0f} %"
    )
    yield (
        f"   coverage {_percent(found['coverage'])} of speech heard (target 70), "
        f"{_percent(found['coverage_of_utterances'])} of utterances; right "
        f"{_percent(found['accuracy_while_active'])} of the time it covers"
    )
    yield (
        f"M6 {_number(found['flips_per_minute'])}"
        f"{_between(found['flips_per_minute_interval'])} flips a minute (target 2)"
    )


def _calibration(found: dict[str, Any]) -> Iterator[str]:
    for unit, of in found.items():
        if of["n"]:
            yield (
                f"M8 ECE of {of['n']} {unit} {of['ECE']:.3f}, perfect scores "
                f"{of['ECE_perfect']:.3f}: {of['ECE_excess']:+.3f} (target 0.03)"
            )


def _alarms(found: dict[str, Any]) -> Iterator[str]:
    distinct = found["distinct"]
    yield (
        f"M7 {found['alarms']} false alarms in {found['hours']:.2f} h without a voice: "
        f"{found['per_hour']:.2f} an hour (target 1), at most "
        f"{found['upper_bound_per_hour']:.2f} (95 %, Poisson)"
    )
    yield (
        f"   of it {distinct['recorded_minutes']:.1f} min of distinct recordings and "
        f"{distinct['synthetic_minutes']:.1f} of ever new synthetic sound: at most "
        f"{distinct['upper_bound_per_hour']:.2f} if these alone count"
    )
    voice = found["with_voice"]
    if voice["hours"]:
        yield (
            f"   voices that do not speak, not counted above: {voice['alarms']} in "
            f"{60 * voice['hours']:.0f} min"
        )
    if not found["scores_finite"]:
        yield "   SCORES WERE NOT FINITE"


_SECTIONS = {
    "levels": _levels,
    "noise": _noise,
    "early": _early,
    "changes": _changes,
    "calibration": _calibration,
}


def _between(interval: list[float | None] | None) -> str:
    if interval is None:
        return ""
    return f" [{_number(interval[0])}, {_number(interval[1])}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
