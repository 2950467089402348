"""Standard input through a real pipe, in whatever pieces the bytes come."""

import os
import pty
import struct
import subprocess
import sys
import threading
from io import BytesIO

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders.encoding import g711_table
from tests.helpers.paths import ROOT

# Reads standard input as the program does, and writes the samples.
READER = """
import logging, sys
import numpy as np
from ser_stream.errors import SourceError
from ser_stream.sources import InputConfig, open_source

logging.basicConfig(format="warning: %(message)s", stream=sys.stderr)
position, parts = 0, []
try:
    form = dict(item.split("=") for item in sys.argv[1:])
    numbers = {name: int(text) for name, text in form.items()}
    config = InputConfig("-", **numbers)
    with open_source(config) as source:
        while not source.ended:
            chunk = source.read(5.0)
            if chunk is not None:
                if chunk.start != position:
                    print("gap:", position, chunk.start, file=sys.stderr)
                position = chunk.end
                parts.append(chunk.samples)
except SourceError as error:
    print("error:", error, file=sys.stderr)
if parts:
    sys.stdout.buffer.write(np.concatenate(parts).astype("<f4").tobytes())
"""


def hear(content: bytes, piece: int = 4999, **form: int) -> tuple[FloatArray, str]:
    """Pipe `content` into a reader, `piece` bytes at a time.

    The form is what samples without a header are; without it there must be one.

    Returns:
        The samples that it read, and what it said.
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", READER, *_arguments(form)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    stdin = process.stdin
    assert stdin is not None

    def write() -> None:
        try:
            for i in range(0, len(content), piece):
                os.write(stdin.fileno(), content[i : i + piece])
        except BrokenPipeError:
            pass  # It refused what it read.
        stdin.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        heard, said = process.stdout.read(), process.stderr.read().decode()
        writer.join()
    return np.frombuffer(heard, "<f4"), said


def _arguments(form: dict[str, int]) -> list[str]:
    return [f"{name}={value}" for name, value in form.items()]


def wav(
    samples: NDArray[np.floating], rate: int = 16_000, subtype: str = "PCM_16"
) -> bytes:
    buffer = BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def pcm(samples: FloatArray) -> bytes:
    return (samples * 32768).astype("<i2").tobytes()


@pytest.mark.parametrize("piece", [7, 997, 65_536])
def test_a_wav_stream_is_read_bit_for_bit_in_pieces_of_any_size(
    piece: int, clip: FloatArray
) -> None:
    samples, said = hear(wav(clip), piece)
    assert said == ""
    assert np.array_equal(samples, clip)


@pytest.mark.parametrize("piece", [1, 999])
def test_raw_samples_in_odd_pieces_are_read_bit_for_bit(
    piece: int, clip: FloatArray
) -> None:
    samples, said = hear(pcm(clip[:9000]), piece, raw=1)
    assert said == ""
    assert np.array_equal(samples, clip[:9000])


def test_raw_samples_that_end_inside_a_sample_lose_one_byte_and_say_so(
    clip: FloatArray,
) -> None:
    samples, said = hear(pcm(clip)[:-1], raw=1)
    assert "ends inside a sample: the last byte is ignored" in said
    assert np.array_equal(samples, clip[:-1])


def test_raw_stereo_at_48_khz_becomes_mono_at_16() -> None:
    t = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * t)
    both = np.stack([tone, 0.5 * tone], axis=1).astype(np.float32)
    samples, said = hear(pcm(both), 1001, rate=48_000, channels=2)
    assert said == ""
    assert abs(len(samples) - 16_000) <= 1
    assert np.abs(samples[200:15_800] - 0.75 * tone[600:47_400:3]).max() < 2e-3


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_few_raw_samples_are_enough(n: int, clip: FloatArray) -> None:
    samples, said = hear(pcm(clip[5000 : 5000 + n]), raw=1)
    assert said == ""
    assert np.array_equal(samples, clip[5000 : 5000 + n])


@pytest.mark.parametrize(
    ("subtype", "accuracy"),
    [
        ("PCM_U8", 1e-2),
        ("PCM_24", 1e-6),
        ("PCM_32", 1e-6),
        ("FLOAT", 0.0),
        ("DOUBLE", 0.0),
    ],
)
def test_every_encoding_of_wav_gives_the_same_samples(
    subtype: str, accuracy: float, clip: FloatArray
) -> None:
    samples, said = hear(wav(clip[:9000], subtype=subtype))
    assert said == ""
    assert len(samples) == 9000
    assert np.abs(samples - clip[:9000]).max() <= accuracy


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_wav_stream_of_six_channels_at_another_rate(rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
    channels = np.stack([tone * k / 6 for k in range(6)], axis=1)
    samples, said = hear(wav(channels, rate, "PCM_24"), 9973)
    assert said == ""
    assert abs(len(samples) - 16_000) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000) * 15 / 36
    assert np.abs(samples[300:15_700] - expected[300:15_700]).max() < 2e-3


def with_length(content: bytes, length: int) -> bytes:
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", length) + content[at + 4 :]


@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_stream_of_unknown_length_is_read_to_its_end(
    length: int, clip: FloatArray
) -> None:
    samples, said = hear(with_length(wav(clip), length))
    assert said == ""
    assert np.array_equal(samples, clip)


def test_what_follows_the_audio_in_a_wav_stream_is_ignored(clip: FloatArray) -> None:
    samples, said = hear(wav(clip) + b"LIST" + struct.pack("<I", 400) + b"\x7f" * 400)
    assert said == ""
    assert np.array_equal(samples, clip)


def test_chunks_before_the_audio_are_skipped(clip: FloatArray) -> None:
    content = wav(clip)
    at = content.index(b"data")
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"  # padded to an even length
    samples, said = hear(content[:at] + extra + content[at:], 3)
    assert said == ""
    assert np.array_equal(samples, clip)


def test_a_wav_stream_that_is_cut_short_is_used_and_then_reported(
    clip: FloatArray,
) -> None:
    content = wav(clip)
    samples, said = hear(content[:-10_001])
    heard_s, missing_s = (len(clip) - 5001) / 16_000, 10_001 / 32_000
    assert (
        f"is cut short at {heard_s:.2f} s: its header promises {missing_s:.2f}" in said
    )
    assert "Traceback" not in said
    assert len(samples) == len(clip) - 5001
    assert np.array_equal(samples, clip[:-5001])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "error: standard input is empty: no audio came"),
        (wav(np.zeros(0)), "error: standard input holds no samples: empty or cut"),
        (
            bytes(8000),
            "error: standard input is not audio: it begins like no container",
        ),
        (
            b"hello, this is no sound\n",
            "error: standard input is not audio: it is text",
        ),
        (
            wav(np.zeros(9))[:30],
            "error: standard input is not audio: its WAV header ends before",
        ),
        (
            wav(np.zeros(9)).replace(struct.pack("<I", 16_000), bytes(4), 1),
            "WAV header with rate 0 Hz and 1 channels",
        ),
        (
            b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f",
            "with a part 'junk' of 2147483647 bytes before",
        ),
        (b"RIFF\0\0\0\0WAVEdata\x08\0\0\0" + bytes(8), "does not say what its samples"),
    ],
    ids=[
        "nothing",
        "no samples",
        "zeros",
        "text",
        "half a header",
        "rate",
        "junk",
        "no format",
    ],
)
def test_what_is_no_audio_is_refused_in_one_line(content: bytes, message: str) -> None:
    samples, said = hear(content)
    assert message in said
    assert said.count("\n") == 1
    assert len(samples) == 0


def test_a_sample_that_is_no_number_is_a_gap_to_the_next_tenth_of_a_second(
    clip: FloatArray,
) -> None:
    bad = clip.copy()
    bad[12_345] = np.nan
    samples, said = hear(wav(bad, subtype="FLOAT"))
    assert "gap: 12345 12800" in said
    assert "is damaged at 0.77 s: sample 12345 is not a number" in said
    assert np.array_equal(samples, np.delete(clip, np.s_[12_345:12_800]))


def test_two_wavs_on_a_pipe_are_heard_both_with_a_gap_between(clip: FloatArray) -> None:
    samples, said = hear(wav(clip) + wav(clip[:4000], 8000))
    assert said == f"gap: {len(clip)} {len(clip) + 1}\n"
    assert np.array_equal(samples[: len(clip)], clip)
    assert len(samples) - len(clip) == pytest.approx(8000, abs=1)


def test_a_large_part_behind_the_audio_is_drained_for_the_writer(
    clip: FloatArray,
) -> None:
    size = 2 << 20
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        # No BrokenPipeError: the reader takes it all.
        process.stdin.write(wav(clip) + b"LIST" + struct.pack("<I", size) + bytes(size))
        process.stdin.close()
        assert process.stdout is not None
        heard = process.stdout.read()
    assert np.array_equal(np.frombuffer(heard, "<f4"), clip)


@pytest.mark.parametrize("subtype", ["ALAW", "ULAW"])
def test_the_telephones_codes_are_what_libsndfile_makes_of_them(
    subtype: str, clip: FloatArray
) -> None:
    content = wav(clip[:9000], 8000, subtype)
    expected, _ = soundfile.read(BytesIO(content), dtype="float32")
    table = g711_table({"ALAW": "alaw", "ULAW": "mulaw"}[subtype])
    data = content[-9000:]
    assert np.array_equal(table[np.frombuffer(data, np.uint8)], expected)
    samples, said = hear(content)
    assert said == ""
    assert len(samples) == pytest.approx(18_000, abs=1)


def test_a_terminal_is_no_audio() -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER],
            stdin=theirs,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            timeout=120,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "standard input is a terminal; try: arecord" in done.stderr
