"""Nothing that a library prints reaches standard error: it is a line of the log."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.made_recordings import missing_tool
from tests.helpers.paths import DATA, ROOT
from tests.helpers.program import COMMAND, ENVIRONMENT

ALSA = """
import ctypes, logging, sys
from ser_stream import log
log.setup(sys.argv[1], "json")
from ser_stream.sources import portaudio
portaudio.load()
# As a callback might at any time, outside of what is kept quiet.
alsa = ctypes.CDLL("libasound.so.2")
assert alsa.snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"nonsense", 1, 0) < 0
"""


@pytest.mark.parametrize("level", ["debug", "info"])
def test_alsa_speaks_to_the_log(level: str) -> None:
    pytest.importorskip("sounddevice")
    done = subprocess.run(
        [sys.executable, "-c", ALSA, level],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip("there is no ALSA here")
    lines = [
        line
        for line in done.stderr.splitlines()
        if "nonsense" in line or "ALSA" in line
    ]
    assert all(line.startswith('{"time"') for line in done.stderr.splitlines())
    assert bool(lines) == (level == "debug")


@pytest.mark.skipif(missing_tool() is not None, reason="needs sox to write an MP3")
@pytest.mark.parametrize("verbose", [True, False])
def test_libmpg123_speaks_to_the_log(verbose: bool, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    command = ["sox", str(DATA / "15a02Ac.flac"), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    # What is wrong within frames only their decoder knows.
    content = bytearray(path.read_bytes())
    for at in range(1000, len(content), 97):
        content[at] ^= 0x55
    path.write_bytes(content)
    done = subprocess.run(
        [*COMMAND, *(["-v"] if verbose else []), "recognize", path],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert all(line.startswith("ser-stream: ") for line in lines)
    assert any("[src/libmpg123" in line for line in lines) == verbose
