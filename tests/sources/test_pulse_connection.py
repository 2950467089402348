"""What PulseAudio's library is told while a device is opened."""

import os
import sys
from pathlib import Path

import pytest

from ser_stream.service.environment import surroundings
from ser_stream.sources.pulse_connection import connecting_to

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PULSE_SOURCE", "PULSE_CLIENTCONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def told() -> list[str]:
    return Path(os.environ["PULSE_CLIENTCONFIG"]).read_text().splitlines()


def test_the_users_configuration_stays_but_for_shared_memory(home: Path) -> None:
    own = home / ".config/pulse/client.conf"
    more = home / ".config/pulse/client.conf.d/50-server.conf"
    more.parent.mkdir(parents=True)
    own.write_text("autospawn = no\n")
    more.write_text("default-server = unix:/tmp/native\n")
    with connecting_to(None):
        assert told() == [f".include {own}", f".include {more}", "enable-shm = no"]
    named = home / "named.conf"
    named.write_text("")
    os.environ["PULSE_CLIENTCONFIG"] = str(named)
    with connecting_to(None):
        assert told() == [f".include {named}", "enable-shm = no"]
    assert os.environ["PULSE_CLIENTCONFIG"] == str(named)


def test_nothing_of_it_lasts_and_other_programs_see_nothing(home: Path) -> None:
    os.environ["PULSE_SOURCE"] = "mine"
    before = dict(os.environ)
    with connecting_to("room.monitor"):
        assert os.environ["PULSE_SOURCE"] == "room.monitor"
        assert surroundings() == before
    assert dict(os.environ) == before == surroundings()
    with pytest.raises(OSError, match="no device"), connecting_to("room.monitor"):
        raise OSError("no device")
    assert dict(os.environ) == before
