"""A new card, or one that is free again, is seen without a scan for devices."""

import time
from pathlib import Path

import pytest

from ser_stream.sources import device_changes as signs
from ser_stream.sources.device_changes import DeviceChanges

ONE = " 0 [PCH            ]: Intel - Intel PCH\n"
TWO = ONE + " 1 [Device         ]: USB-Audio - USB PnP\n"


@pytest.fixture
def asound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What /proc/asound looks like, on a system without a sound server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(signs, "LOOK_S", 0.0)
    (tmp_path / "cards").write_text(ONE)
    substream = tmp_path / "card0" / "pcm0c" / "sub0"
    substream.mkdir(parents=True)
    (substream / "status").write_text("closed\n")
    return tmp_path


def test_the_first_look_and_each_change_are_told_once(asound: Path) -> None:
    look = DeviceChanges(asound)
    assert look.possible
    assert [look.changed() for _ in range(3)] == [True, False, False]
    (asound / "cards").write_text(TWO)
    assert [look.changed() for _ in range(3)] == [True, False, False]
    status = asound / "card0" / "pcm0c" / "sub0" / "status"
    status.write_text("state: RUNNING\nowner_pid   : 7\n")
    assert [look.changed() for _ in range(2)] == [True, False]
    # Another position in the buffer is no news.
    status.write_text("state: RUNNING\nowner_pid   : 7\nhw_ptr      : 9\n")
    assert not look.changed()
    status.write_text("closed\n")
    assert look.changed()


def test_a_sound_server_gets_a_moment_to_take_a_new_card(asound: Path) -> None:
    asked = asound / "asked"
    pactl = asound / "pactl"
    pactl.write_text(f"#!/bin/sh\necho >> {asked}\necho '0\troom.monitor\tIDLE'\n")
    pactl.chmod(0o755)
    look = DeviceChanges(asound)

    def looks() -> int:
        """How many looks it took until it told of a change."""
        before = asked.stat().st_size if asked.exists() else 0
        deadline = time.monotonic() + 120
        while not look.changed():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return asked.stat().st_size - before

    assert looks() == 1
    (asound / "cards").write_text(TWO)
    assert looks() == 2
    pactl.write_text(pactl.read_text().replace("room", "usb"))
    assert looks() == 1
    look.close()
