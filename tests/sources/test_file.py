"""Whatever libsndfile reads becomes chunks; what is no audio is refused by name."""

import logging
import os
import struct
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ser_stream.errors import ConfigError, SourceError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources import InputConfig, open_source
from ser_stream.sources.file import FileSource, open_input
from ser_stream.sources.pacing import Pacer
from ser_stream.sources.recorded import length_of


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def read_all(source: FileSource) -> list[Chunk]:
    chunks = []
    with source:
        while not source.ended:
            chunk = source.read(0.1)
            if chunk is not None:
                chunks.append(chunk)
        assert source.read(0.0) is None
    return chunks


def samples_of(path: Path) -> FloatArray:
    """All samples; the chunks must follow one another without a hole."""
    chunks = read_all(open_input(str(path), realtime=False))
    ends = [chunk.end for chunk in chunks]
    assert [chunk.start for chunk in chunks] == [0, *ends[:-1]]
    return np.concatenate([chunk.samples for chunk in chunks])


def test_a_flac_file_is_read_bit_for_bit(data: Path, clip: FloatArray) -> None:
    source = open_input(str(data / "03a01Wa.flac"), realtime=False)
    assert source.info.source == "file"
    assert source.info.device == "03a01Wa.flac"
    assert source.info.device_rate == 16_000
    assert not source.live
    read_all(source)
    assert np.array_equal(samples_of(data / "03a01Wa.flac"), clip)


def test_chunks_end_where_the_default_steps_fall_due(
    data: Path, clip: FloatArray
) -> None:
    chunks = read_all(open_input(str(data / "03a01Wa.flac"), realtime=False))
    whole = [chunk.end for chunk in chunks if chunk.end < len(clip)]
    assert whole == list(range(1800, len(clip), 3200))


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000, 96_000])
def test_other_rates_become_16_khz(rate: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(rate), rate, subtype="FLOAT")
    samples = samples_of(tmp_path / "tone.wav")
    assert abs(len(samples) - 16_000) <= 1
    inner = slice(200, 15_800)
    assert np.abs(samples[inner] - tone(16_000)[inner]).max() < 2e-3


@pytest.mark.parametrize(
    ("name", "subtype", "accuracy"),
    [
        ("x.wav", "PCM_16", 1e-4),
        ("x.wav", "PCM_24", 1e-6),
        ("x.wav", "PCM_32", 1e-6),
        ("x.wav", "PCM_U8", 1e-2),
        ("x.wav", "FLOAT", 1e-7),
        ("x.wav", "DOUBLE", 1e-7),
        ("x.flac", "PCM_24", 1e-6),
        ("x.aiff", "PCM_16", 1e-4),
        ("x.ogg", "VORBIS", 0.05),
    ],
)
def test_every_encoding_gives_the_same_tone(
    name: str, subtype: str, accuracy: float, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / name, tone(16_000), 16_000, subtype=subtype)
    samples = samples_of(tmp_path / name)
    assert samples.dtype == np.float32
    assert np.abs(samples - tone(16_000)).max() < accuracy


def test_the_length_of_a_file_is_that_of_its_samples(
    data: Path, clip: FloatArray
) -> None:
    assert length_of(data / "03a01Wa.flac") == len(clip) / 16_000


def test_six_channels_are_averaged(tmp_path: Path) -> None:
    channels = np.stack([tone(16_000) * k / 6 for k in range(6)], axis=1)
    soundfile.write(tmp_path / "six.wav", channels, 16_000, subtype="FLOAT")
    samples = samples_of(tmp_path / "six.wav")
    assert np.allclose(samples, tone(16_000) * 15 / 36, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
@pytest.mark.parametrize("n", [1, 2, 100])
def test_a_handful_of_samples_is_enough_of_a_file(
    n: int, rate: int, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(n, 0.5), rate, subtype="FLOAT")
    samples = samples_of(tmp_path / "short.wav")
    assert abs(len(samples) - n * 16_000 / rate) < 1.0
    if rate == 16_000:
        assert np.array_equal(samples, np.full(n, 0.5, np.float32))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(SourceError, match=r"empty\.wav is empty \(0 bytes\)"):
        open_input(str(tmp_path / "empty.wav"), realtime=False)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(SourceError, match=r"none.wav holds no samples"):
        open_input(str(tmp_path / "none.wav"), realtime=False)


def test_text_that_is_called_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("these are the notes of the meeting\n" * 50)
    with pytest.raises(SourceError, match=r"notes.wav is not audio: ") as caught:
        open_input(str(path), realtime=False)
    assert "\n" not in str(caught.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder; name a file in it"):
        open_input(str(tmp_path), realtime=False)


@pytest.mark.parametrize(
    "name",
    [
        "cut.wav",
        "cut.flac",
        "cut.aiff",
    ],
)
def test_a_file_that_is_cut_short_gives_what_is_there_and_then_says_so(
    name: str, tmp_path: Path, clip: FloatArray, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    soundfile.write(path, clip, 16_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    heard: list[FloatArray] = []
    with open_input(str(path), realtime=False) as source:
        while not source.ended:
            chunk = source.read(0.1)
            if chunk is not None:
                heard.append(chunk.samples)
        assert source.damage is not None
        assert source.damage.kind == "cut"
    assert f"{name} is cut short at " in caplog.text
    samples = np.concatenate(heard)
    assert len(samples) > 10_000
    assert np.array_equal(samples, clip[: len(samples)])


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_file_that_a_pipe_wrote_is_whole(
    size: int, tmp_path: Path, clip: FloatArray
) -> None:
    # Its writer could not know the length, and left a placeholder in the header.
    path = tmp_path / "piped.wav"
    soundfile.write(path, clip, 16_000, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    content[4:8] = struct.pack("<I", size)
    path.write_bytes(content)
    assert np.array_equal(samples_of(path), clip)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_a_gap_and_is_told_with_its_place(
    value: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tone(16_000).astype(np.float32)
    bad[12_345] = value
    soundfile.write(tmp_path / "bad.wav", bad, 16_000, subtype="FLOAT")
    source = open_input(str(tmp_path / "bad.wav"), realtime=False)
    chunks = read_all(source)
    where = np.concatenate([np.arange(c.start, c.end) for c in chunks])
    assert np.array_equal(where, np.delete(np.arange(16_000), np.s_[12_345:12_800]))
    heard = np.concatenate([chunk.samples for chunk in chunks])
    assert np.array_equal(heard, bad[where])
    assert source.damage is not None
    assert source.damage.kind == "damaged"
    assert "bad.wav is damaged at 0.77 s: sample 12345 is not a number" in caplog.text


def test_samples_beyond_full_scale_are_clipped_and_the_user_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "loud.wav", 6 * tone(16_000), 16_000, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        samples = samples_of(tmp_path / "loud.wav")
    assert np.allclose(samples, np.clip(6 * tone(16_000), -1, 1), atol=1e-6)
    (record,) = caplog.records
    assert "beyond full scale (up to" in record.getMessage()


def test_real_time_pace_takes_as_long_as_the_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(16_000, 0.5), 16_000)
    begin = time.monotonic()
    chunks = read_all(open_input(str(tmp_path / "tone.wav"), realtime=True))
    elapsed = time.monotonic() - begin
    assert elapsed >= 0.48
    for chunk in chunks:
        assert chunk.arrived - begin >= chunk.end / 16_000 - 0.01


def test_fast_pace_does_not_wait(data: Path) -> None:
    begin = time.monotonic()
    read_all(open_input(str(data / "emodb_minute.flac"), realtime=False))
    assert time.monotonic() - begin < 60.0


def test_a_reader_that_will_not_wait_gets_nothing_and_may_ask_again() -> None:
    pacer = Pacer(realtime=True)
    assert not pacer.wait(1600, 0.01)
    begin = time.monotonic()
    while not pacer.wait(1600, 0.02):
        assert time.monotonic() - begin < 60.0
    assert pacer.wait(1600, 0.0)


def test_the_input_names_a_file(data: Path, clip: FloatArray) -> None:
    config = InputConfig(str(data / "03a01Wa.flac"), pace="fast")
    with open_source(config) as source:
        assert source.info.source == "file"
        chunk = source.read(0.1)
    assert isinstance(chunk, Chunk)
    assert np.array_equal(chunk.samples, clip[:1800])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file .*gone.wav"):
        open_source(InputConfig(str(tmp_path / "gone.wav")))


def test_headerless_samples_called_raw_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(3200))
    with pytest.raises(SourceError, match=r"samples.raw is not audio"):
        open_input(str(path), realtime=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pace": "slow"}, "pace is 'slow'; allowed: realtime, fast"),
        ({"rate": 0}, "rate is 0 Hz; allowed: 1000 to 768000"),
        ({"channels": 0}, "channels is 0; allowed: 1 to 64"),
        ({"input": "mic:USB", "pace": "fast"}, "no pace but real time"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        InputConfig(**settings)  # type: ignore[arg-type]


def test_a_pipe_at_real_time_pace_keeps_to_the_clock_and_a_file_does_not(
    tmp_path: Path,
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    for realtime in (True, False):
        pipe = tmp_path / f"pipe-{realtime}"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        with open_input(str(pipe), realtime=realtime) as source:
            assert source.live is realtime
            writer.join()
    with open_input(str(tmp_path / "a.wav"), realtime=True) as source:
        assert not source.live


def test_paced_recordings_that_are_joined_are_no_loss(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(16_000), 16_000)
    both = tmp_path / "both.flac"
    both.write_bytes((tmp_path / "a.flac").read_bytes() * 2)
    chunks = read_all(open_input(str(both), realtime=True))
    jumps = [now.gap for last, now in pairwise(chunks) if now.start != last.end]
    assert jumps == ["joined"]
