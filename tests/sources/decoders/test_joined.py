"""Recordings one behind the other in a file: all are heard, with a gap between."""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders.joined import joined as what_is_lost
from tests.helpers.made_recordings import missing_tool
from tests.helpers.paths import DATA
from tests.helpers.read_recordings import hear_file, hear_pipe

FIRST, SECOND = DATA / "15a02Ac.flac", DATA / "03a01Wa.flac"


def joined(name: str, folder: Path, options: str = "") -> tuple[Path, list[Path]]:
    """Both clips in a form, and both in one file."""
    parts = []
    for clip in (FIRST, SECOND):
        part = folder / f"{clip.stem}-{name}"
        command = ["ffmpeg", "-v", "error", "-i", clip, *options.split(), part]
        subprocess.run([str(word) for word in command], check=True)
        parts.append(part)
    both = folder / name
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    return both, parts


@pytest.mark.skipif(missing_tool() is not None, reason="needs ffmpeg")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.wav", ""),
        ("x.flac", ""),
        ("x.ogg", "-c:a libvorbis"),
        ("x.opus", "-c:a libopus"),
        ("x.mp3", "-c:a libmp3lame"),
        ("y.mp3", "-c:a libmp3lame -write_xing 0"),
    ],
)
def test_joined_recordings_are_heard_whole(
    name: str, options: str, tmp_path: Path
) -> None:
    both, parts = joined(name, tmp_path, options)
    first, second = (hear_file(part) for part in parts)
    heard = hear_file(both)
    assert heard.damage is None
    if "xing" in options:
        # Nothing says that another one begins; it is one stream of frames.
        assert heard.seconds == pytest.approx(first.seconds + second.seconds, abs=0.1)
    else:
        assert heard.starts == (0, len(first.samples) + 1)
        expected = np.concatenate([first.samples, second.samples])
        assert np.array_equal(heard.samples, expected)
    piped = hear_pipe(both.read_bytes())
    assert np.array_equal(piped.samples, heard.samples)
    assert piped.starts == heard.starts


def test_joined_wavs_may_have_different_rates(tmp_path: Path, clip: FloatArray) -> None:
    parts = []
    for rate in (16_000, 8000):
        part = tmp_path / f"{rate}.wav"
        soundfile.write(part, clip[:8000], rate)
        parts.append(part.read_bytes())
    heard = hear_pipe(b"".join(parts))
    assert heard.starts == (0, 8001)
    assert len(heard.samples) == pytest.approx(24_000, abs=1)


FTYP = struct.pack(">I", 16) + b"ftypisom\0\0\2\0"


@pytest.mark.parametrize("size", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_part_of_an_mp4_that_no_file_can_hold_is_its_last(
    size: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(FTYP + struct.pack(">I4sQ", 1, b"free", size) + FTYP)
    assert what_is_lost(path) is None
    path.write_bytes(FTYP + struct.pack(">I4sQ", 1, b"free", 16) + FTYP)
    assert what_is_lost(path) is not None


def test_parts_of_an_mp4_are_not_walked_through_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    part = struct.pack(">I", 8) + b"free"
    path.write_bytes(FTYP + part * 10 + FTYP)
    assert what_is_lost(path) is not None
    path.write_bytes(FTYP + part * 1_000_000 + FTYP)
    assert what_is_lost(path) is None


def test_parts_behind_a_wav_are_not_walked_through_for_ever(
    tmp_path: Path, clip: FloatArray
) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, clip[:8000], 16_000)
    wav, part = path.read_bytes(), b"note\0\0\0\0"
    path.write_bytes(wav + part * 100 + wav)
    heard = hear_file(path)
    assert (heard.starts, heard.damage) == ((0, 8001), None)
    path.write_bytes(wav + part * 2000 + wav)
    heard = hear_file(path)
    assert heard.starts == (0,)
    assert heard.damage is not None
    assert "bytes follow that are not heard" in heard.damage.reason
