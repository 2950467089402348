"""Other rates and channels become mono at 16 kHz, the same under any chunking."""

from itertools import pairwise

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.resample import MonoResampler

RATES = (8000, 11_025, 22_050, 44_100, 48_000, 96_000)


def sine(rate: int, hertz: float = 440.0, seconds: float = 1.0) -> FloatArray:
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)[:, None]


def resample(rate: int, samples: FloatArray, edges: list[int]) -> FloatArray:
    resampler = MonoResampler(rate, samples.shape[1])
    parts = [resampler.feed(samples[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*parts, resampler.feed(samples[:0], last=True)])


@settings(max_examples=30)
@given(
    rate=st.sampled_from([16_000, *RATES]),
    cuts=st.lists(st.integers(0, 8000), max_size=30),
)
def test_any_chunking_gives_bit_identical_samples(rate: int, cuts: list[int]) -> None:
    samples = np.random.default_rng(3).uniform(-1, 1, (8000, 2)).astype(np.float32)
    whole = resample(rate, samples, [0, 8000])
    assert np.array_equal(resample(rate, samples, [0, *sorted(cuts), 8000]), whole)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_keeps_its_time_pitch_and_level(rate: int) -> None:
    result = resample(rate, sine(rate), [0, rate])
    assert abs(len(result) - 16_000) <= 1
    # The filter rings at both ends, and nowhere else.
    inner = slice(200, 15_800)
    assert np.abs(result[inner] - sine(16_000)[inner, 0]).max() < 2e-3


@pytest.mark.parametrize("rate", RATES)
def test_the_stream_is_what_the_whole_signal_gives(
    rate: int, rng: np.random.Generator
) -> None:
    samples = rng.uniform(-0.5, 0.5, (rate // 2, 1)).astype(np.float32)
    offline = soxr.resample(samples[:, 0], rate, 16_000)
    result = resample(rate, samples, [0, 1000, 1001, len(samples)])
    n = min(len(result), len(offline))
    assert abs(len(result) - len(offline)) <= 1
    assert np.abs(result[:n] - offline[:n]).max() < 1e-3


def test_16_khz_passes_untouched(rng: np.random.Generator) -> None:
    samples = rng.uniform(-1, 1, (1000, 1)).astype(np.float32)
    result = MonoResampler(16_000, 1).feed(samples)
    assert np.array_equal(result, samples[:, 0])
    assert result.dtype == np.float32


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels: int) -> None:
    samples = np.zeros((100, channels), np.float32)
    samples[:, 0] = 0.6
    result = MonoResampler(16_000, channels).feed(samples)
    assert np.allclose(result, 0.6 / channels)


def test_of_channels_that_cancel_the_loudest_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tone = sine(16_000)
    resampler = MonoResampler(16_000, 2, name="talk.wav")
    heard = resampler.feed(np.hstack([0.9 * tone, -tone]), last=True)
    # A tenth of a second shows it.
    assert np.array_equal(heard[1600:], -tone[1600:, 0])
    (record,) = caplog.records
    assert "talk.wav: the mean of its channels cancels" in record.getMessage()
    assert "now channel 2" in record.getMessage()


def test_it_follows_the_loudest_of_channels_that_cancel() -> None:
    tone = sine(16_000)
    both = np.hstack([tone, -tone])
    both[8000:, 0] *= 0.1
    heard = MonoResampler(16_000, 2).feed(both, last=True)
    assert np.array_equal(heard[2000:8000], tone[2000:8000, 0])
    assert np.array_equal(heard[-2000:], -tone[-2000:, 0])


@pytest.mark.parametrize("second", [0.0, 1.0, 0.3])
def test_channels_that_do_not_cancel_are_averaged(second: float) -> None:
    tone = sine(16_000)
    heard = MonoResampler(16_000, 2).feed(np.hstack([tone, second * tone]), last=True)
    assert np.allclose(heard, tone[:, 0] * (1 + second) / 2, atol=1e-6)


@pytest.mark.parametrize(("channel", "index"), [("left", 0), ("right", 1), ("2", 1)])
def test_one_channel_may_be_asked_for(channel: str, index: int) -> None:
    samples = np.random.default_rng(5).uniform(-1, 1, (999, 3)).astype(np.float32)
    heard = MonoResampler(16_000, 3, channel).feed(samples)
    assert np.array_equal(heard, samples[:, index])


def test_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(
        SourceError, match=r"call\.wav has 1 channel; there is no channel"
    ):
        MonoResampler(16_000, 1, "right", "call.wav")


def test_what_is_above_8_khz_does_not_fold_down() -> None:
    result = resample(48_000, sine(48_000, 10_000.0), [0, 48_000])
    assert np.abs(result[200:-200]).max() < 1e-3


def test_a_reset_forgets_what_was_in_the_filter() -> None:
    resampler = MonoResampler(48_000, 1)
    resampler.feed(np.ones((5000, 1), np.float32))
    resampler.reset()
    fresh = MonoResampler(48_000, 1)
    tone = sine(48_000)
    assert np.array_equal(resampler.feed(tone), fresh.feed(tone))


@pytest.mark.parametrize("rate", [16_000, *RATES])
def test_an_empty_stream_ends_empty(rate: int) -> None:
    assert (
        MonoResampler(rate, 1).feed(np.zeros((0, 1), np.float32), last=True).size == 0
    )
