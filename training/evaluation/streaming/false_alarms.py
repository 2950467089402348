"""M7: emotions that begin without speech."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from ser_stream.pipeline.recording import Recording
from ser_stream.pipeline.values import SAMPLE_RATE, Phase, SpeechState
from training.evaluation.streaming.noises import Noise
from training.evaluation.streaming.nonspeech import PIECE_S, Piece
from training.evaluation.streaming.synthetic_noise import COLOURED

NEVER_THE_SAME = frozenset({*COLOURED, "taps", "tone sweeps"})
"""Synthetic signals of which each minute is another."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """What one piece caused."""

    family: str
    name: str
    gain_db: int
    seconds: float
    starts: int
    """`emotion` events of phase `start`."""
    speech_s: float
    """How long the speech gate was open."""
    finite: bool
    """Whether every score was a number."""


def n_pieces(hours: float) -> int:
    """Pieces that make so many hours, or a little more."""
    return math.ceil(round(hours * 3600 / PIECE_S, 6))


def alarms(piece: Piece, recording: Recording) -> Alarms:
    scores = [p.scores for p in recording.predictions if p.scores is not None]
    steps = [p.end for p in recording.predictions[:2]]
    step_s = (steps[1] - steps[0]) / SAMPLE_RATE if len(steps) == 2 else 0.0
    open_ = sum(p.state is SpeechState.SPEECH for p in recording.predictions)
    return Alarms(
        piece.family,
        piece.name,
        piece.gain_db,
        recording.n_samples / SAMPLE_RATE,
        sum(t.event.phase is Phase.START for t in recording.told),
        open_ * step_s,
        all(bool(np.isfinite(s).all()) for s in scores),
    )


def summarize(
    found: Sequence[Alarms], with_voice: Sequence[Alarms], recordings: Sequence[Noise]
) -> dict[str, Any]:
    """Alarms an hour, with what a Poisson law says of so short a time.

    The law asks for independent time, and most of this is the same few recordings
    again. `distinct` says how much audio differs, and what the bound would be had the
    same rate been seen in that time alone.
    """
    families = sorted({one.family for one in found})
    every = rate(found)
    recorded_s = sum(len(noise.samples) for noise in recordings) / SAMPLE_RATE
    made_s = sum(one.seconds for one in found if one.name in NEVER_THE_SAME)
    distinct = (recorded_s + made_s) / 3600
    seen = math.ceil(every["per_hour"] * distinct)
    return {
        **every,
        "families": {f: rate([x for x in found if x.family == f]) for f in families},
        "alarms_by_source": _by_source(found),
        "distinct": {
            "recordings": len(recordings),
            "recorded_minutes": round(recorded_s / 60, 2),
            "synthetic_minutes": round(made_s / 60, 2),
            "upper_bound_per_hour": round(poisson_upper(seen) / distinct, 2),
        },
        "recordings_seen_in_training": sorted(n.name for n in recordings if n.seen),
        "with_voice": {**rate(with_voice), "alarms_by_source": _by_source(with_voice)},
        "scores_finite": all(one.finite for one in [*found, *with_voice]),
    }


def rate(found: Sequence[Alarms]) -> dict[str, Any]:
    """Alarms an hour; the bound is one-sided, 95 %; the interval Garwood's, 95 %."""
    hours = sum(one.seconds for one in found) / 3600
    n = sum(one.starts for one in found)
    if not hours:
        return {"hours": 0.0, "alarms": 0}
    low, high = poisson_interval(n)
    return {
        "hours": round(hours, 3),
        "alarms": n,
        "per_hour": round(n / hours, 3),
        "upper_bound_per_hour": round(poisson_upper(n) / hours, 3),
        "interval_per_hour": [round(low / hours, 3), round(high / hours, 3)],
        "gate_open_minutes": round(sum(one.speech_s for one in found) / 60, 2),
    }


def _by_source(found: Sequence[Alarms]) -> dict[str, int]:
    starts = Counter[str]()
    for one in found:
        starts[f"{one.name}, {one.gain_db:+d} dB"] += one.starts
    return {source: n for source, n in sorted(starts.items()) if n}


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of a Poisson mean (Garwood, Biometrika 1936)."""
    low = float(chi2.ppf(0.025, 2 * count)) / 2.0 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * (count + 1))) / 2.0


def poisson_upper(count: int) -> float:
    """Exact one-sided 95 % bound of a Poisson mean: 3.0 where nothing was counted."""
    return float(chi2.ppf(0.95, 2 * (count + 1))) / 2.0
