"""Sound stands where it stands beside the picture, and every track is told of."""

import logging
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.made_recordings import missing_tool
from tests.helpers.paths import DATA
from tests.helpers.read_recordings import hear_file, hear_pipe

CLIP = DATA / "15a02Ac.flac"
PICTURE = ("-f", "lavfi", "-i", "color=d=9:s=64x64:r=5")
DELAY_S = 0.1
"""What encoders put around the sound, at most."""

pytestmark = pytest.mark.skipif(
    missing_tool() is not None, reason="needs ffmpeg and sox to make recordings"
)


def ffmpeg(*words: str | Path) -> None:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize("name", ["late.mkv", "late.mp4", "late.webm", "late.ts"])
def test_sound_that_begins_late_is_heard_late(name: str, tmp_path: Path) -> None:
    sound = ("-itsoffset", "5", "-i", CLIP)
    ffmpeg(*PICTURE, *sound, "-map", "0:v", "-map", "1:a", tmp_path / name)
    ffmpeg("-i", tmp_path / name, "-vn", tmp_path / f"alone.{name}")
    late, alone = hear_file(tmp_path / name), hear_file(tmp_path / f"alone.{name}")
    assert late.seconds == pytest.approx(5 + alone.seconds, abs=2 * DELAY_S)
    assert not np.any(late.samples[: round((5 - DELAY_S) * 16_000)])
    assert late.starts == (0,)
    assert late.damage is None


def test_a_clock_that_begins_late_with_its_picture_delays_nothing(
    tmp_path: Path,
) -> None:
    both = (*PICTURE, "-i", CLIP, "-map", "0:v", "-map", "1:a")
    ffmpeg(*both, tmp_path / "now.ts")
    ffmpeg(*both, "-output_ts_offset", "3000", tmp_path / "broadcast.ts")
    now, broadcast = (
        hear_file(tmp_path / "now.ts"),
        hear_file(tmp_path / "broadcast.ts"),
    )
    assert np.array_equal(now.samples, broadcast.samples)


def test_packets_that_are_missing_are_silence(tmp_path: Path) -> None:
    whole, holed = tmp_path / "whole.webm", tmp_path / "holed.webm"
    ffmpeg("-stream_loop", "3", "-i", CLIP, "-c:a", "libopus", whole)
    dropped = r"noise=amount=0:drop=between(pts*tb\,1\,4)"
    ffmpeg("-i", whole, "-c", "copy", "-bsf:a", dropped, holed)
    all_of_it, rest = hear_file(whole), hear_file(holed)
    assert rest.seconds == pytest.approx(all_of_it.seconds, abs=DELAY_S)
    assert not np.any(rest.samples[round(1.2 * 16_000) : round(3.8 * 16_000)])
    behind = slice(round(4.5 * 16_000), round(5.5 * 16_000))
    near = slice(round(4.4 * 16_000), round(5.6 * 16_000))
    like = np.correlate(rest.samples[near], all_of_it.samples[behind])
    assert abs(int(like.argmax()) / 16_000 - DELAY_S) < 0.02
    assert np.array_equal(hear_pipe(holed.read_bytes()).samples, rest.samples)


def test_a_clock_that_goes_back_loses_no_sound(tmp_path: Path) -> None:
    one = tmp_path / "one.ts"
    ffmpeg("-i", CLIP, one)
    (tmp_path / "two.ts").write_bytes(one.read_bytes() * 2)
    length = hear_file(one).seconds
    two = hear_file(tmp_path / "two.ts").seconds
    assert two == pytest.approx(2 * length, abs=2 * DELAY_S)


def test_tracks_that_nobody_hears_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silence = ("-f", "lavfi", "-i", "anullsrc=d=3")
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2:a", "-t", "3")
    ffmpeg(*PICTURE, *silence, "-i", CLIP, *maps, tmp_path / "two tracks.mkv")
    ffmpeg(*PICTURE, "-i", CLIP, "-t", "3", tmp_path / "one.mkv")
    with caplog.at_level(logging.WARNING):
        hear_file(tmp_path / "one.mkv")
        assert not caplog.messages
        hear_file(tmp_path / "two tracks.mkv")
    (line,) = caplog.messages
    assert "has 2 sound tracks, and only the first is heard" in line
    assert line.endswith("ffmpeg -i 'two tracks.mkv' -map 0:a:1 'two tracks-2.flac'")
