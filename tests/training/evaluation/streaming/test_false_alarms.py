"""Hours without a voice, alarms an hour, and how little few hours prove."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from ser_stream.errors import SourceError
from training.evaluation.bootstrap import over_speakers
from training.evaluation.streaming.false_alarms import (
    Alarms,
    n_pieces,
    poisson_interval,
    poisson_upper,
    rate,
    summarize,
)
from training.evaluation.streaming.noises import Noise, load_noises
from training.evaluation.streaming.nonspeech import GAINS_DB, PIECE_S, pieces, voices

SECOND = 16_000


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # As in Biometrika Tables for Statisticians I, table 40.
    [(0, 0.0, 3.689), (1, 0.025, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390)],
)
def test_the_poisson_interval_is_garwoods(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=6e-4)


def test_nothing_seen_bounds_the_mean_by_three() -> None:
    # The rule of three: exp(-3) is about 0.05.
    assert poisson_upper(0) == pytest.approx(-np.log(0.05))
    assert poisson_upper(1) == pytest.approx(4.744, abs=1e-3)


def noise(name: str, seconds: float, rng: np.random.Generator) -> Noise:
    samples = 0.01 * rng.standard_normal(round(seconds * SECOND))
    return Noise(name, samples.astype(np.float32), has_voice=False, seen=name == "fan")


def test_every_recording_comes_at_every_gain_before_one_comes_again(
    rng: np.random.Generator,
) -> None:
    recordings = [noise(n, 2.0, rng) for n in ("fan", "rain", "tap")]
    planned = list(pieces(recordings, 5 * 3 * 5 // 2, seed=1))
    singles = [(p.name, p.gain_db) for p in planned if p.family == "one recording"]
    assert len(singles) == 15
    assert set(Counter(singles).values()) == {1}
    families = Counter(p.family for p in planned)
    assert families["one recording"] == pytest.approx(2 * families["synthetic"], abs=1)


def test_a_piece_is_a_minute_and_the_same_for_one_seed(
    rng: np.random.Generator,
) -> None:
    recordings = [noise("fan", 0.7, rng), noise("rain", 2.0, rng)]
    for piece, again in zip(
        pieces(recordings, 10, 1), pieces(recordings, 10, 1), strict=True
    ):
        samples = piece.make()
        assert samples.shape == (PIECE_S * SECOND,)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 1.0
        assert np.array_equal(samples, again.make())


def test_one_recording_alone_can_be_looped_and_mixed(rng: np.random.Generator) -> None:
    names = {piece.name for piece in pieces([noise("fan", 1.0, rng)], 5, 1)}
    assert {"fan", "fan + fan"} <= names


def test_voices_are_apart_and_come_at_every_gain(rng: np.random.Generator) -> None:
    planned = list(voices([noise("baby", 1.0, rng)], 1))
    assert [p.gain_db for p in planned] == list(GAINS_DB)
    assert {p.family for p in planned} == {"with a voice"}


@pytest.mark.parametrize(("hours", "n"), [(3.0, 180), (0.05, 3), (0.051, 4)])
def test_hours_are_filled_with_whole_minutes(hours: float, n: int) -> None:
    assert n_pieces(hours) == n


def alarm(family: str, name: str, starts: int, gain_db: int = 0) -> Alarms:
    return Alarms(family, name, gain_db, 3600.0, starts, 1.0, finite=True)


def test_the_rate_is_by_the_hour_with_its_bound() -> None:
    found = rate([alarm("one recording", "fan", 1), alarm("synthetic", "taps", 0)])
    assert (found["hours"], found["alarms"], found["per_hour"]) == (2.0, 1, 0.5)
    assert found["upper_bound_per_hour"] == pytest.approx(4.744 / 2, abs=1e-3)
    assert found["interval_per_hour"] == pytest.approx([0.013, 2.786], abs=1e-3)


def test_the_summary_says_how_little_of_it_is_independent(
    rng: np.random.Generator,
) -> None:
    found = [
        alarm("one recording", "fan", 2),
        alarm("two recordings", "fan + rain", 0),
        alarm("synthetic", "digital silence", 0),
    ]
    recordings = [noise("fan", 30.0, rng), noise("rain", 60.0, rng)]
    baby = alarm("with a voice", "baby", 7, -10)
    result = summarize(found, [baby], recordings)
    assert (result["hours"], result["alarms"]) == (3.0, 2)
    assert result["families"]["one recording"]["per_hour"] == 2.0
    assert result["alarms_by_source"] == {"fan, +0 dB": 2}
    distinct = result["distinct"]
    assert distinct["recorded_minutes"] == 1.5
    # Digital silence is the same in each minute.
    assert distinct["synthetic_minutes"] == 0.0
    # 2/3 an hour is less than one in this time; one is counted: 4.744 / 0.025.
    assert distinct["upper_bound_per_hour"] == pytest.approx(189.76, abs=0.01)
    assert result["recordings_seen_in_training"] == ["fan"]
    # Voices are reported and not counted.
    assert result["with_voice"]["alarms"] == 7
    assert result["scores_finite"] is True


def test_noise_recordings_are_read_with_what_training_had_of_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "fan.wav", np.zeros(800), 8000)
    soundfile.write(folder / "baby.wav", np.zeros(800), 16_000)
    table = folder / "manifest.csv"
    table.write_text("file,contains_voice\nfan.wav,no\nbaby.wav,yes\n")
    fan, baby = load_noises(folder, {"noise": "noise"})
    assert (fan.name, fan.has_voice, fan.seen) == ("fan", False, True)
    assert (baby.name, baby.has_voice, baby.seen) == ("baby", True, False)
    assert len(fan.samples) == 1600
    assert not any(n.seen for n in load_noises(folder, {"noise": ""}))
    # Those that came after the training are not in it, nor those of another folder.
    for folder_of, names in (("noise", ["rain.wav"]), ("other", ["fan.wav"])):
        training = {"noise": folder_of, "noises": names}
        assert not any(n.seen for n in load_noises(folder, training))
    fan, _ = load_noises(folder, {"noise": "noise", "noises": ["fan.wav"]})
    assert fan.seen
    table.write_text("file,contains_voice\nbaby.wav,yes\n")
    with pytest.raises(SourceError, match="no recording without a voice"):
        load_noises(folder, {})


def test_an_interval_over_speakers_draws_whole_speakers() -> None:
    rows = [0.0] * 50 + [1.0] * 50
    speakers = ["a"] * 50 + ["b"] * 50
    # Two speakers, each of one mind: both ends are reached, which 100 rows would not.
    mean = lambda values: float(np.mean(values))  # noqa: E731
    assert over_speakers(rows, speakers, mean) == [0.0, 1.0]
    assert over_speakers(rows[:50], speakers[:50], mean) == [None, None]


def test_an_infinite_end_of_an_interval_is_none() -> None:
    found = over_speakers([1.0, np.inf], ["a", "b"], max)
    assert found == [1.0, None]
