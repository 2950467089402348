"""What whole clips are asked: level, noise, early decision, calibration."""

import numpy as np
import pytest

pytest.importorskip("torch")

from ser_stream.pipeline.values import FloatArray
from training.evaluation.streaming.calibration import calibration, errors
from training.evaluation.streaming.clips import NONE, ClipResult
from training.evaluation.streaming.conditions import (
    compare,
    families,
    gains,
    noisy,
    with_gain,
    with_noise,
)
from training.evaluation.streaming.noises import Noise
from training.evaluation.streaming.synthetic_noise import COLOURED, FAULTS, OTHER
from training.evaluation.streaming.time_to_decision import early
from training.evaluation.streaming.voice_activity import voiced_level


def heard(
    truth: int, steps: list[int], seconds: list[float], speaker: str = "03"
) -> ClipResult:
    """A clip whose steps say these classes of three, each with a score of 0.8."""
    scores = np.full((len(steps), 3), 0.1)
    scores[range(len(steps)), steps] = 0.8
    columns = [1] * len(seconds)
    return ClipResult(
        f"{speaker}{truth}", speaker, truth, scores, np.array(seconds), columns
    )


def test_what_was_said_by_a_time_is_the_last_step_until_then() -> None:
    clip = heard(1, [0, 2, 1], [0.4, 0.9, 1.1])
    assert clip.predicted_at(0.3) == NONE
    assert clip.predicted_at(0.4) == 0
    assert clip.predicted_at(1.0) == 2
    assert clip.predicted_at(9.0) == 1


def test_a_clip_without_speech_has_no_prediction_and_no_score() -> None:
    clip = heard(1, [], [])
    assert (clip.whole, clip.predicted, clip.predicted_at(3.0)) == (None, NONE, NONE)


def test_the_early_ratio_is_of_what_lies_above_chance() -> None:
    # Three classes; at 1 s two of them are right, at 3 s all: (66.7-33.3)/(100-33.3).
    clips = [
        heard(0, [0, 0], [0.9, 2.9]),
        heard(1, [1, 1], [0.9, 2.9]),
        heard(2, [0, 2], [0.9, 2.9]),
    ]
    found = early(clips, 3)
    assert found["at_1s"]["UAR"] == pytest.approx(66.67, abs=0.01)
    assert found["at_3s"]["UAR"] == 100.0
    assert found["ratio"] == 0.5
    assert found["long"]["clips"] == 3
    curve = {point["seconds"]: point for point in found["curve"]}
    assert curve[0.8]["UAR"] == 0.0
    assert curve[0.8]["with_prediction"] == 0.0
    assert curve[1.0]["with_prediction"] == 1.0


def test_a_short_clip_counts_at_3_s_with_its_last_prediction() -> None:
    clips = [heard(i, [i], [0.7]) for i in range(3)]
    found = early(clips, 3)
    assert found["ratio"] == 1.0
    assert found["long"] == {"clips": 0}


def test_no_ratio_is_given_of_what_is_no_better_than_chance() -> None:
    found = early([heard(i, [0, 0], [0.9, 2.9]) for i in range(3)], 3)
    assert found["ratio"] is None


def test_gain_is_in_decibels_and_clips_at_full_scale() -> None:
    samples: FloatArray = np.array([0.1, -0.5, 0.5], np.float32)
    assert with_gain(samples, -20) == pytest.approx([0.01, -0.05, 0.05])
    assert with_gain(samples, 10) == pytest.approx([0.3162, -1, 1], abs=1e-4)


def test_noise_lies_so_far_below_the_voice_and_nothing_is_clipped(
    clip: FloatArray, rng: np.random.Generator
) -> None:
    noise = rng.standard_normal(len(clip)).astype(np.float32)
    for snr in (20, 0):
        mixed = with_noise(clip, noise, snr)
        assert np.abs(mixed).max() <= 1.0
        parts = np.stack([clip, noise], 1).astype(np.float64)
        (kept, added), *_ = np.linalg.lstsq(parts, mixed, rcond=None)
        ratio = 20 * np.log10(kept * voiced_level(clip) / (added * noise.std()))
        assert ratio == pytest.approx(snr, abs=0.01)


def test_silent_noise_leaves_the_clip_alone(clip: FloatArray) -> None:
    assert with_noise(clip, np.zeros_like(clip), 0) is clip


def test_a_clip_gets_the_same_noise_at_every_ratio(clip: FloatArray) -> None:
    (family,) = [f for f in families([], False) if f.name == "coloured noise"]
    changes = noisy(family, 98)
    added = []
    for change in changes.values():
        mixed = change(0.1 * clip, "emodb/x.flac")
        noise = mixed - 0.1 * clip
        added.append(noise / noise.std())
    assert np.allclose(added[0], added[-1], atol=2e-3)
    other = changes["10 dB"](0.1 * clip, "emodb/y.flac") - 0.1 * clip
    assert not np.allclose(other / other.std(), added[0], atol=0.1)


def test_noises_are_told_apart_by_whether_they_are_in_training() -> None:
    silence = np.zeros(10, np.float32)
    recordings = [
        Noise("fan", silence, has_voice=False, seen=True),
        Noise("rain", silence, has_voice=False, seen=False),
        Noise("baby", silence, has_voice=True, seen=False),
    ]
    found = {f.name: (f.seen, sorted(f.noises)) for f in families(recordings, True)}
    assert found == {
        "recordings": (True, ["fan"]),
        "recordings, unseen": (False, ["rain"]),
        "coloured noise": (True, sorted(COLOURED)),
        "hum, taps and sweeps": (False, sorted(OTHER)),
    }


def test_what_a_condition_costs_is_the_difference_of_recalls() -> None:
    speakers = ("03", "08")
    clean = [heard(i, [i], [1.0], s) for s in speakers for i in range(3)]
    # Under the condition one clip of six is taken for another, and one has no speech.
    now = [*clean]
    now[0], now[4] = heard(0, [1], [1.0]), heard(1, [], [], "08")
    found = compare(clean, {"worse": now, "same": clean}, 3)
    assert found["clean"]["UAR"] == 100.0
    worse = found["conditions"]["worse"]
    assert worse["lost"] == pytest.approx(33.33, abs=0.01)
    assert worse["without_speech"] == 1
    assert worse["lost_interval"] == pytest.approx([33.33, 33.33], abs=0.01)
    assert found["conditions"]["same"]["lost"] == 0.0


def test_no_gain_is_the_clean_clip_and_measured_once() -> None:
    assert list(gains()) == ["-30 dB", "-20 dB", "-10 dB", "+5 dB", "+10 dB"]


def test_scores_that_are_right_as_often_as_they_say_have_no_excess(
    rng: np.random.Generator,
) -> None:
    scores = rng.dirichlet([1.0, 1.0, 1.0], 4000)
    truth = (rng.random((4000, 1)) < scores.cumsum(1)).argmax(1)
    assert abs(errors(scores, truth)["ECE_excess"]) < 0.01


def test_scores_that_are_too_sure_have_their_excess() -> None:
    # All say 0.9 and six in ten are right: the error is 0.3, whatever the bins.
    scores = np.full((1000, 2), 0.1)
    scores[:, 0] = 0.9
    truth = np.array([0, 0, 0, 1, 1] * 200)
    found = errors(scores, truth)
    assert found["ECE"] == pytest.approx(0.3)
    assert found["ECE_excess"] == pytest.approx(0.3 - found["ECE_perfect"])
    assert 0 < found["ECE_perfect"] < 0.05


def test_calibration_counts_steps_and_clips_and_leaves_out_silence() -> None:
    clips = [heard(0, [0, 1], [0.5, 0.7]), heard(1, [1], [0.5]), heard(2, [], [])]
    found = calibration(clips)
    assert (found["steps"]["n"], found["clips"]["n"]) == (3, 2)
    assert calibration(clips[2:]) == {"steps": {"n": 0}, "clips": {"n": 0}}


@pytest.mark.parametrize("name", [*COLOURED, *OTHER])
def test_synthetic_sounds_have_unit_deviation(
    name: str, rng: np.random.Generator
) -> None:
    samples = {**COLOURED, **OTHER}[name](20_000, rng)
    assert samples.shape == (20_000,)
    assert samples.dtype == np.float32
    assert samples.std() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(("name", "slope"), [("white noise", 0), ("brown noise", -6)])
def test_coloured_noise_falls_so_many_decibels_an_octave(
    name: str, slope: float, rng: np.random.Generator
) -> None:
    power = np.abs(np.fft.rfft(COLOURED[name](1 << 18, rng))) ** 2
    hertz = np.fft.rfftfreq(1 << 18, 1 / 16_000)
    octaves = [
        10 * np.log10(power[(hertz >= low) & (hertz < 2 * low)].mean())
        for low in (200, 400, 800, 1600)
    ]
    assert np.diff(octaves) == pytest.approx([slope] * 3, abs=0.5)


def test_broken_inputs_are_silent_constant_or_square(rng: np.random.Generator) -> None:
    made = {name: make(16_000, rng) for name, make in FAULTS.items()}
    assert not made["digital silence"].any()
    assert np.ptp(made["DC offset"]) == 0.0
    assert set(made["square wave"]) == {-1.0, 1.0}
