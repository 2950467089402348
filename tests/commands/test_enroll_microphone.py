"""`enroll --mic`: through PortAudio, until there was enough speech."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import MINUTE
from tests.helpers.program import error_line, run
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        yield microphone


def test_who_speaks_into_the_microphone_is_enrolled(
    microphone: VirtualMicrophone, tmp_path: Path
) -> None:
    home = {**microphone.env, "XDG_STATE_HOME": str(tmp_path)}
    command = ["paplay", "--device=room", "--latency-msec=1000", str(MINUTE)]
    with subprocess.Popen(command, env=microphone.env) as player:
        arguments = ("enroll", "--mic", "default", "--seconds", "8", "--json")
        done = run(*arguments, environment=home)
        # Long before the minute is over.
        assert player.poll() is None
        player.kill()
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["enrolled"]
    assert one["name"] == "me"
    assert 8 <= one["seconds"] < 10


def test_a_microphone_that_is_not_there_is_named(
    microphone: VirtualMicrophone, tmp_path: Path
) -> None:
    home = {**microphone.env, "XDG_STATE_HOME": str(tmp_path)}
    done = run("enroll", "--mic", "nowhere", environment=home)
    assert done.returncode == 3
    assert "nowhere" in error_line(done)
    assert not list(tmp_path.rglob("*.json"))
