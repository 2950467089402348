"""What a daemon remembers over a restart."""

import json
import multiprocessing
import os
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from ser_stream.daemon.pause_state import PausedState
from ser_stream.paths import state_folder


def test_a_pause_is_remembered_for_the_daemon_of_that_socket_alone(
    tmp_path: Path,
) -> None:
    one = PausedState(Path("/run/one.sock"), tmp_path / "state")
    two = PausedState(Path("/run/two.sock"), tmp_path / "state")
    assert one.read() == set()
    one.write(True)
    two.write(True)
    one.write(False)
    assert PausedState(Path("/run/one.sock"), tmp_path / "state").read() == set()
    assert PausedState(Path("/run/two.sock"), tmp_path / "state").read() == {""}
    assert [p.name for p in (tmp_path / "state").iterdir()] == ["state.json"]


def _pause(key: str, folder: Path, both: Barrier, times: int) -> None:
    for number in range(times):
        state = PausedState(Path(key), folder / str(number))
        both.wait(30)
        state.write(True)


def test_two_daemons_that_are_paused_at_once_are_both_remembered(
    tmp_path: Path,
) -> None:
    processes = multiprocessing.get_context("spawn")
    both, keys = processes.Barrier(2), ("/run/one.sock", "/run/two.sock")
    pausing = [
        processes.Process(target=_pause, args=(key, tmp_path, both, 20)) for key in keys
    ]
    for process in pausing:
        process.start()
    for process in pausing:
        process.join(60)
        assert process.exitcode == 0
    remembered = [
        (number, key)
        for number in range(20)
        for key in keys
        if PausedState(Path(key), tmp_path / str(number)).read()
    ]
    assert len(remembered) == 40


@pytest.mark.parametrize("text", ["", "{", "[]", '{"paused": 1}', "\udcff"])
def test_where_the_file_makes_no_sense_all_are_paused_until_they_are_resumed(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    one = PausedState(Path("/run/one.sock"), tmp_path)
    two = PausedState(Path("/run/two.sock"), tmp_path)
    assert one.read(["desk", "hall"]) == {"desk", "hall"}
    assert str(path) in caplog.text
    one.write(False, "hall")
    assert json.loads(path.read_text())["version"] == 1
    assert one.read(["desk", "hall"]) == {"desk"}
    # Of another daemon nobody knows more than before.
    assert two.read() == {""}
    two.write(False)
    two.write(True)
    one.write(False, "desk")
    assert two.read() == {""}
    two.write(False)
    caplog.clear()
    assert two.read() == set() == one.read(["desk", "hall"])
    assert not caplog.text


def test_a_pause_written_over_a_damaged_file_is_there_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state.json").write_text("{")
    PausedState(Path("/run/one.sock"), tmp_path).write(True)
    assert PausedState(Path("/run/one.sock"), tmp_path).read() == {""}
    assert not caplog.text


def test_a_pause_outlasts_that_one_microphone_becomes_several_and_back(
    tmp_path: Path,
) -> None:
    one = PausedState(Path("/run/one.sock"), tmp_path)
    PausedState(Path("/run/one.sock.old"), tmp_path).write(True)
    one.write(True)
    assert one.read(["desk", "hall"]) == {"desk", "hall"}
    one.write(False, "hall")
    assert one.read(["desk", "hall"]) == {"desk"}
    assert one.read(["desk", "hall", "new"]) == {"desk"}
    assert one.read() == {""}
    one.write(False)
    assert one.read(["desk", "hall"]) == one.read() == set()
    assert PausedState(Path("/run/one.sock.old"), tmp_path).read() == {""}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_entered_pauses_nothing_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "of-root"
    folder.mkdir(mode=0o700)
    PausedState(Path("/run/one.sock"), folder).write(True)
    os.seteuid(65534)
    try:
        found = PausedState(Path("/run/one.sock"), folder).read()
    finally:
        os.seteuid(0)
    assert found == set()
    assert "a pause is not remembered" in caplog.text


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        PausedState(Path("/run/one.sock"), tmp_path / "file").write(True)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_folder_is_what_systemd_gave_or_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/anna/state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert state_folder() == Path("/home/anna/state/ser-stream")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/ser-stream:/var/lib/other")
    assert state_folder() == Path("/var/lib/ser-stream")


def test_each_of_several_sources_is_remembered_by_itself(tmp_path: Path) -> None:
    state = PausedState(Path("/run/one.sock"), tmp_path)
    state.write(True, "desk")
    state.write(True, "hall")
    state.write(False, "hall")
    again = PausedState(Path("/run/one.sock"), tmp_path)
    assert again.read(["desk", "hall", ""]) == {"desk"}
