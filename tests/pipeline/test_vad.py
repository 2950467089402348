"""Speech opens the speech gate; nothing else that we could think of does."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import ser_stream.pipeline.vad
from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.bundle import file_hash
from ser_stream.pipeline.detector import SILERO_SHA256, Silero
from ser_stream.pipeline.vad import GateReading, SpeechGate, SpeechGateConfig
from ser_stream.pipeline.values import Block, Chunk, FloatArray

SECOND = 16_000


def zeros(seconds: float) -> FloatArray:
    return np.zeros(round(seconds * SECOND), np.float32)


def readings(*chunks: Chunk) -> list[tuple[int, GateReading]]:
    """The state of a fresh speech gate at the end of each block."""
    blocker, gate = Blocker(), SpeechGate()
    return [
        (block.end, gate.feed(block))
        for chunk in chunks
        for block in blocker.feed(chunk)
        if isinstance(block, Block)
    ]


def listen(*parts: FloatArray) -> list[tuple[int, GateReading]]:
    samples = np.concatenate(parts).astype(np.float32)
    return readings(Chunk(0, samples))


def begins(read: list[tuple[int, GateReading]]) -> list[int]:
    """Where speech began, each once, in order."""
    found = [reading.began for _, reading in read if reading.began is not None]
    return list(dict.fromkeys(found))


def spans(samples: FloatArray) -> list[tuple[int, int]]:
    """Where speech begins, and where it is last seen open, of each piece of speech."""
    found: dict[int, int] = {}
    for end, reading in listen(samples, zeros(1.0)):
        if reading.began is not None:
            found[reading.began] = end
    return list(found.items())


def louder(samples: FloatArray, gain_db: float) -> FloatArray:
    return samples * np.float32(10 ** (gain_db / 20))


def voiced(clip: FloatArray) -> FloatArray:
    """The clip from its first to its last frame that Silero takes for speech."""
    at = np.flatnonzero(Silero().feed(np.concatenate([clip, zeros(0.1)])) >= 0.5)
    part: FloatArray = clip[at[0] * 512 : (at[-1] + 1) * 512]
    return part


def test_the_model_file_is_the_one_whose_origin_is_written_down() -> None:
    folder = Path(ser_stream.pipeline.vad.__file__).parent / "silero"
    assert file_hash(folder / "silero_vad_16k_sequence.onnx") == SILERO_SHA256
    assert "MIT" in (folder / "LICENSE.silero").read_text(encoding="utf-8")


def test_the_speech_gate_opens_within_half_a_second_of_each_voice(
    clips: dict[str, FloatArray],
) -> None:
    for name, clip in clips.items():
        read = listen(zeros(0.5), clip, zeros(1.5))
        (began,) = begins(read)
        # EmoDB's clips hold up to 0.2 s of quiet before the first word.
        assert 8000 <= began <= 8000 + 4000, name
        opened = next(end for end, reading in read if reading.began is not None)
        assert opened - began <= 8000, name
        assert read[-1][1].began is None, name


def test_the_speech_gate_closes_after_the_longest_pause(clip: FloatArray) -> None:
    speech = voiced(clip)
    read = listen(zeros(0.5), speech, zeros(2.0))
    last = max(end for end, reading in read if reading.began is not None)
    stopped = 8000 + len(speech)
    assert 0.6 * SECOND - 1600 <= last - stopped <= 0.6 * SECOND + 3200


@pytest.mark.parametrize(("pause", "n_begins"), [(0.45, 1), (0.8, 2)])
def test_a_pause_under_0_6_seconds_is_part_of_the_speech(
    pause: float, n_begins: int, clip: FloatArray
) -> None:
    speech = voiced(clip)
    read = listen(zeros(0.5), speech, zeros(pause), speech, zeros(0.1))
    assert len(begins(read)) == n_begins


def square_wave(hertz: float) -> FloatArray:
    t = np.arange(10 * SECOND) / SECOND
    return np.where((t * hertz) % 1.0 < 0.5, 1.0, -1.0).astype(np.float32)


def pink_noise(dbfs: float) -> FloatArray:
    rng = np.random.default_rng(7)
    spectrum = np.fft.rfft(rng.standard_normal(10 * SECOND))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)))
    noise *= 10 ** (dbfs / 20) / np.sqrt(np.mean(noise**2))
    return np.clip(noise, -1.0, 1.0).astype(np.float32)


def dithered_silence() -> FloatArray:
    rng = np.random.default_rng(7)
    dither = rng.random(10 * SECOND) - rng.random(10 * SECOND)
    return np.asarray(np.round(dither) / 32768, np.float32)


def clicks(dbfs: float) -> FloatArray:
    """One a second, each louder than the room by 30 dB."""
    samples = pink_noise(dbfs)
    samples[SECOND // 2 :: SECOND] += np.float32(10 ** ((dbfs + 30) / 20))
    return samples


NOT_SPEECH = {
    "digital silence": zeros(10),
    "full-scale square wave, 100 Hz": square_wave(100),
    "full-scale square wave, 440 Hz": square_wave(440),
    "full-scale square wave, 2 Hz": square_wave(2),
    "DC offset": np.full(10 * SECOND, 0.5, np.float32),
    "dither of 16 bits": dithered_silence(),
    "clicks, -60 dBFS": clicks(-60),
    "clicks, -85 dBFS": clicks(-85),
    "pink noise, -90 dBFS": pink_noise(-90),
    "pink noise, -75 dBFS": pink_noise(-75),
    "pink noise, -60 dBFS": pink_noise(-60),
    "pink noise, -30 dBFS": pink_noise(-30),
    "pink noise, -10 dBFS": pink_noise(-10),
}


@pytest.mark.parametrize("before", [0.0, 1.0])
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_what_is_no_speech_never_opens_the_speech_gate(
    name: str, before: float
) -> None:
    # After a second of silence the detector is asleep, and wakes to the noise.
    read = listen(zeros(before), NOT_SPEECH[name])
    assert len(read) >= 100
    assert all(reading.began is None for _, reading in read)


def test_speech_is_found_under_a_dc_offset(clip: FloatArray) -> None:
    read = listen(zeros(0.5) + 0.2, 0.5 * clip + np.float32(0.2))
    assert len(begins(read)) == 1


def test_speech_is_found_in_a_noisy_room(clip: FloatArray) -> None:
    noise = pink_noise(-45)
    noisy = noise.copy()
    noisy[80_000 : 80_000 + len(clip)] += 0.7 * clip
    assert begins(listen(noise)) == []
    (began,) = begins(listen(noisy))
    assert 80_000 <= began <= 84_000


@pytest.fixture(scope="module")
def minute(data: Path) -> FloatArray:
    """A minute of 18 stretches of speech, with a room's noise in the pauses."""
    samples: FloatArray = soundfile.read(data / "emodb_minute.flac", dtype="float32")[0]
    return samples


def test_a_voice_30_db_down_is_the_same_speech(minute: FloatArray) -> None:
    near, far = spans(minute), spans(louder(minute, -30.0))
    assert len(near) == len(far) == 18
    # Two of the detector's frames; the end is seen by blocks.
    assert max(abs(a - b) for (a, _), (b, _) in zip(near, far, strict=True)) <= 1024
    assert max(abs(a - b) for (_, a), (_, b) in zip(near, far, strict=True)) <= 1600


@pytest.mark.parametrize("gain_db", [-10.0, -20.0, -40.0])
def test_no_speech_is_lost_at_other_levels(gain_db: float, minute: FloatArray) -> None:
    assert len(spans(louder(minute, gain_db))) == 18


def test_a_voice_40_db_down_in_16_bits_is_found(clips: dict[str, FloatArray]) -> None:
    for name, clip in clips.items():
        coarse = np.round(louder(clip, -40.0) * 32768) / np.float32(32768)
        assert len(begins(listen(zeros(0.5), coarse, zeros(1.0)))) == 1, name


def test_a_soft_voice_is_heard_again_after_a_loud_one(clip: FloatArray) -> None:
    # The gain comes back by 1 dB a second.
    read = listen(clip, zeros(60.0), louder(clip, -40.0), zeros(1.0))
    assert len(begins(read)) == 2


def test_an_utterance_that_woke_the_detector_is_speech_from_its_beginning(
    clip: FloatArray,
) -> None:
    # One begins while the detector listens already, the other wakes it.
    awake = begins(readings(Chunk(0, clip)))[0]
    asleep = begins(listen(zeros(3.2), clip))[0] - round(3.2 * SECOND)
    assert abs(awake - asleep) <= 1600


def test_the_detector_gets_the_block_before_the_one_that_woke_it(
    clips: dict[str, FloatArray],
) -> None:
    # The first sound is so soft, and so near the end of its block, that the next block
    # wakes the detector.
    (began,) = begins(listen(np.zeros(48_200, np.float32), clips["11a07Ta"]))
    assert began - 48_200 < 2000


@settings(max_examples=20)
@given(
    cuts=st.lists(st.integers(0, 60_000), max_size=20),
    gain_db=st.sampled_from([0.0, -35.0]),
)
def test_any_chunking_gives_the_same_readings(
    cuts: list[int], gain_db: float, clip: FloatArray
) -> None:
    samples = np.concatenate([zeros(0.5), louder(clip, gain_db), zeros(1.0)])
    edges = [0, *sorted(c for c in cuts if c < len(samples)), len(samples)]
    chunks = [Chunk(a, samples[a:b]) for a, b in pairwise(edges)]
    assert readings(*chunks) == readings(Chunk(0, samples))


def test_a_gap_resets_the_speech_gate(clip: FloatArray) -> None:
    # 32 000 is no multiple of 512: the detector's frames begin anew, too.
    after = Chunk(32_000, np.concatenate([clip, zeros(1.0)]))
    with_before = readings(Chunk(0, clip), after)
    alone = readings(after)
    assert with_before[-len(alone) :] == alone
    assert with_before[-len(alone) - 1][1].began is not None


def test_a_gap_forgets_how_loud_it_was(clip: FloatArray) -> None:
    # Without the gap the gain would still be low: the soft copy is 40 dB down.
    after = Chunk(32_000, np.concatenate([louder(clip, -40.0), zeros(1.0)]))
    alone = readings(after)
    assert readings(Chunk(0, clip), after)[-len(alone) :] == alone
    assert len(begins(alone)) == 1


def test_the_speech_gate_counts_speech_with_its_short_pauses_only(
    clip: FloatArray,
) -> None:
    speech = voiced(clip)

    def counted(pause: float) -> float:
        parts = [zeros(0.5), speech, zeros(pause), speech, zeros(2.0)]
        blocker, gate = Blocker(), SpeechGate()
        for block in blocker.feed(Chunk(0, np.concatenate(parts))):
            assert isinstance(block, Block)
            gate.feed(block)
        return gate.speech_samples / SECOND

    said = 2 * len(speech) / SECOND
    assert counted(0.4) == pytest.approx(said + 0.4, abs=0.2)
    assert counted(1.5) == pytest.approx(said, abs=0.3)


def test_a_gap_does_not_forget_the_speech_that_was_counted(clip: FloatArray) -> None:
    blocker, gate = Blocker(), SpeechGate()
    counts = []
    for chunk in (Chunk(0, clip), Chunk(40_000, clip)):
        for block in blocker.feed(chunk):
            if isinstance(block, Block):
                gate.feed(block)
        counts.append(gate.speech_samples)
    assert counts[0] > SECOND
    assert counts[1] == pytest.approx(2 * counts[0], rel=0.1)


def test_the_energy_is_the_sum_of_the_squares_of_the_block() -> None:
    read = listen(zeros(0.1), np.full(1600, 0.5, np.float32))
    # The second block holds samples 200 to 1800, and 200 of them are 0.5.
    assert [reading.energy for _, reading in read] == [0.0, 0.25 * 200]


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 16_000), max_size=20))
def test_the_detector_gives_one_probability_for_each_512_samples(
    cuts: list[int], clip: FloatArray
) -> None:
    samples = clip[:16_000]
    whole = Silero().feed(samples)
    assert whole.shape == (31,)
    silero = Silero()
    edges = [0, *sorted(cuts), len(samples)]
    parts = [silero.feed(samples[a:b]) for a, b in pairwise(edges)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)
    assert silero.backlog == 16_000 - 31 * 512


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"enter": 0.3, "exit": 0.5}, "0 < exit <= enter < 1"),
        ({"enter": 1.0}, "0 < exit <= enter < 1"),
        ({"exit": 0.0}, "0 < exit <= enter < 1"),
        ({"enter": float("nan")}, "gate.enter must be a finite number"),
        ({"max_pause_s": float("inf")}, "gate.max_pause_s must be a finite"),
        ({"max_pause_s": 0.0}, "positive seconds"),
        ({"min_speech_s": -0.1}, "positive seconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SpeechGateConfig(**settings)
