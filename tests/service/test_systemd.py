"""The units do what they promise, under the real systemd.

It is a private one, in namespaces: see `private_systemd`. The daemon in it is the real
one with the real model; its input is a recording.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.service.install import Scope, program, units
from tests.helpers import virtual_microphone
from tests.helpers.private_systemd import PROGRAM, PrivateSystemd, private_systemd

pytestmark = pytest.mark.alone

SOCKET = "/run/ser-stream/ser-stream.sock"
UNIT = "ser-stream.service"
MINUTE = "/opt/ser-stream/code/tests/data/emodb_minute.flac"
EXPOSURE = 3.0


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the system's units, for this installation."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    for unit in units(Scope.SYSTEM, program()):
        (tmp_path / unit.path.name).write_text(unit.text)
    return tmp_path


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_systemd_finds_nothing_wrong_with_the_units(written: Path) -> None:
    done = analyze("verify", "--man=no", *sorted(written.iterdir()))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_system_s_service_is_exposed_to_little(written: Path) -> None:
    threshold = f"--threshold={round(EXPOSURE * 10)}"
    done = analyze("security", "--offline=true", threshold, written / UNIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MemoryDenyWriteExecute" in done.stdout


@pytest.fixture(scope="module")
def systemd() -> Iterator[PrivateSystemd]:
    """One that has our units, and settings for a test that is quick."""
    with (
        tempfile.TemporaryDirectory() as folder,
        private_systemd(Path(folder)) as private,
    ):
        private.write(
            "/etc/ser-stream/config.toml", f'input = "{MINUTE}"\nwindow = 2.9\n'
        )
        for folder in ("system", "user"):
            private.write(
                f"/etc/systemd/{folder}/{UNIT}.d/quick.conf",
                "[Service]\nWatchdogSec=5\nRestartSec=100ms\n",
            )
        yield private


def status(systemd: PrivateSystemd, *how: str) -> dict[str, object]:
    """What the daemon says of itself."""
    done = systemd.run(*how, PROGRAM, "status", "--json", "--socket", SOCKET)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_service_is_installed_and_lives_under_systemd(
    systemd: PrivateSystemd,
) -> None:
    done = systemd.run(PROGRAM, "install-service", "--system", "--now")
    assert "ser-stream.service is enabled and runs" in done.stdout
    shown = systemd.show(UNIT, "ActiveState", "SubState", "StatusText", "MainPID")
    assert (shown["ActiveState"], shown["SubState"]) == ("active", "running")
    assert shown["StatusText"] == "hearing emodb_minute.flac with model open"
    # An account of its own, in the group of the sound cards.
    user = systemd.run("ps", "-o", "user=", "-p", shown["MainPID"]).stdout.strip()
    assert user == "ser-stream"
    assert status(systemd)["pid"] == int(shown["MainPID"])


def test_a_reload_is_announced_and_the_same_process_goes_on(
    systemd: PrivateSystemd,
) -> None:
    before = systemd.show(UNIT, "MainPID")
    systemd.run("sed", "-i", "s/2.9/1.5/", "/etc/ser-stream/config.toml")
    systemd.systemctl("reload", UNIT)
    systemd.wait_until(lambda: "reloaded: model open" in systemd.journal())
    assert systemd.show(UNIT, "MainPID") == before
    systemd.wait(UNIT, "ActiveState", "active")


def test_others_reach_the_socket_by_their_group_alone(systemd: PrivateSystemd) -> None:
    shown = systemd.run("stat", "-c", "%a %U %G", SOCKET).stdout.strip()
    assert shown == "660 root audio"
    member = ("setpriv", "--reuid=12345", "--regid=12345", "--groups=audio")
    assert status(systemd, *member)["version"]
    stranger = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
    subscribe = (PROGRAM, "subscribe", "--no-reconnect", f"unix://{SOCKET}")
    refused = systemd.run(*stranger, *subscribe, check=False)
    assert refused.returncode == 5
    assert "no permission" in refused.stderr


HANG = """
import ctypes, os, sys
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
thread = int(sys.argv[1])
for request in (SEIZE, INTERRUPT):
    assert ptrace(request, thread, None, None) == 0, ctypes.get_errno()
while os.WIFSTOPPED(os.waitpid(thread, WALL)[1]):
    pass
"""
"""Stops one thread of a process for ever; the others go on."""


def test_a_worker_that_hangs_is_restarted_and_the_log_says_where(
    systemd: PrivateSystemd,
) -> None:
    # The worker is the first thread; the one that speaks to systemd is alive and well.
    pid = systemd.show(UNIT, "MainPID")["MainPID"]
    systemd.run("systemd-run", "--unit=hang", "python3", "-c", HANG, pid)
    systemd.wait(UNIT, "NRestarts", "1")
    systemd.wait(UNIT, "SubState", "running")
    assert systemd.show(UNIT, "MainPID")["MainPID"] != pid
    assert "Fatal Python error: Aborted" in systemd.journal()
    assert "ser_stream/daemon/worker.py" in systemd.journal()
    assert status(systemd)["version"]


def test_a_connection_starts_a_daemon_that_was_stopped(systemd: PrivateSystemd) -> None:
    systemd.systemctl("stop", UNIT)
    assert systemd.show(UNIT, "ActiveState", "Result") == {
        "ActiveState": "inactive",
        "Result": "success",
    }
    command = f"{PROGRAM} subscribe unix://{SOCKET} --format json | head -n 1"
    done = systemd.run("sh", "-c", command)
    assert json.loads(done.stdout)["type"] == "hello"
    systemd.wait(UNIT, "ActiveState", "active")


def test_the_user_s_service_records_through_the_sound_server_of_the_session(
    systemd: PrivateSystemd,
) -> None:
    virtual_microphone.require()
    user = systemd.start_user()
    systemd.write(
        "/tmp/somebody/.config/ser-stream/config.toml", 'input = "mic"\n', user
    )
    systemd.run(*user, PROGRAM, "install-service", "--now")
    heard = json.loads(systemd.run(*user, PROGRAM, "status", "--json").stdout)
    assert heard["audio"]["device"] == "default"
    shown = systemd.run(*user, "systemctl", "--user", "show", UNIT).stdout
    assert "\nStatusText=hearing default with model open\n" in shown
    own = Path(f"/proc/{heard['pid']}/status")
    limits = systemd.run("grep", "-E", "NoNewPrivs|Seccomp:", str(own)).stdout
    assert limits.split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]
    # On demand: the socket outlives the daemon, and the doctor does not wake it.
    systemctl = (*user, "systemctl", "--user")
    systemd.run(*systemctl, "disable", "--now", UNIT)
    systemd.run(*systemctl, "enable", "--now", "ser-stream.socket")
    doctor = (*user, PROGRAM, "doctor", "--seconds", "0.5")
    said = systemd.run(*doctor, check=False).stdout
    assert "systemd starts the daemon when a program connects" in said
    assert "it is inactive, and starts when a program connects" in said
    woken = systemd.run(*user, PROGRAM, "status", "--json", check=False)
    assert json.loads(woken.stdout)["pid"] != heard["pid"]


def test_a_wrong_configuration_ends_it_for_good_and_the_doctor_says_why(
    systemd: PrivateSystemd,
) -> None:
    systemd.run("sed", "-i", "s/window/windoww/", "/etc/ser-stream/config.toml")
    systemd.run("systemctl", "restart", UNIT, check=False)
    assert systemd.show(UNIT, "ActiveState", "ExecMainStatus", "NRestarts") == {
        "ActiveState": "failed",
        "ExecMainStatus": "2",
        "NRestarts": "0",
    }
    done = systemd.run(PROGRAM, "doctor", "--json", "--seconds", "0.5", check=False)
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert "did you mean window" in rows["configuration"]["text"]
    assert rows["system service"]["text"] == ("it has failed: exit-code, exit status 2")
    assert "journalctl -u ser-stream.service" in rows["system service"]["fix"]


def test_uninstalling_stops_it_and_leaves_no_unit(systemd: PrivateSystemd) -> None:
    done = systemd.run(PROGRAM, "install-service", "--system", "--uninstall")
    assert "removed /etc/systemd/system/ser-stream.socket" in done.stdout
    assert systemd.show(UNIT, "LoadState") == {"LoadState": "not-found"}
    systemd.run("test", "!", "-e", SOCKET)
