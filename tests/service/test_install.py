"""`ser-stream install-service` writes units that start this installation."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ser_stream.commands.install_service import install, scope_of
from ser_stream.errors import ConfigError
from ser_stream.service.install import (
    UNITS,
    Scope,
    check_reachable,
    program,
    units,
)
from tests.helpers.paths import ROOT
from tests.helpers.program import ENVIRONMENT, error_line, run

SYSTEMD = ROOT / "systemd"
PACKAGED = ROOT / "ser_stream/service/units"


class Home:
    """A user with a home of their own, whose systemd cannot be reached."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "systemd" / "user"
        self.service = self.folder / "ser-stream.service"
        bus = {"XDG_RUNTIME_DIR": "/nonexistent", "DBUS_SESSION_BUS_ADDRESS": ""}
        self._environment = {**ENVIRONMENT, **bus, "XDG_CONFIG_HOME": str(folder)}

    def install(self, *flags: str) -> "subprocess.CompletedProcess[bytes]":
        return run("install-service", "--user", *flags, environment=self._environment)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_units_of_the_user_start_this_very_program(home: Home) -> None:
    done = home.install()
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in home.folder.iterdir()) == sorted(UNITS)
    command = " ".join(program())
    assert Path(command.split()[0]).is_absolute()
    wanted = f"\nExecStart={command} listen\n"
    assert wanted in home.service.read_text()
    said = done.stdout.decode()
    assert f"wrote {home.service}\n" in said
    assert "systemctl --user daemon-reload" in said
    assert "systemctl --user enable --now ser-stream" in said
    assert "loginctl enable-linger" in said


def test_a_second_time_changes_nothing(home: Home) -> None:
    home.install()
    before = home.service.stat()
    done = home.install()
    assert done.stdout.decode().startswith(f"unchanged {home.service}\n")
    after = home.service.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_was_changed_by_hand_is_kept_unless_forced(home: Home) -> None:
    home.install()
    text = home.service.read_text()
    home.service.write_text(text.replace("RestartSec=5", "RestartSec=60"))
    for flags in ((), ("--uninstall",)):
        done = home.install(*flags)
        assert done.returncode == 2
        assert error_line(done).endswith(
            f"{home.service} was changed by hand, or is not ours; put your changes "
            "into `systemctl edit ser-stream`, which survives installations, then use "
            "--force"
        )
        assert "RestartSec=60" in home.service.read_text()
    assert home.install("--force").returncode == 0
    assert home.service.read_text() == text


def test_the_units_of_an_older_version_are_replaced(home: Home) -> None:
    home.install()
    text = home.service.read_text()
    body = text.partition("\n")[2].replace("WatchdogSec=30", "WatchdogSec=10")
    digest = hashlib.sha256(body.encode()).hexdigest()
    mark = f"# Written by `ser-stream install-service`, version 0.0.1, sha256 {digest}"
    home.service.write_text(f"{mark}\n{body}")
    assert home.install().returncode == 0
    assert home.service.read_text() == text


def test_a_masked_unit_stays_masked(home: Home) -> None:
    home.folder.mkdir(parents=True)
    home.service.symlink_to(os.devnull)
    assert home.install().returncode == 2
    assert home.service.is_symlink()


def test_a_dry_run_prints_the_units_and_writes_nothing(home: Home) -> None:
    done = home.install("--dry-run")
    assert done.returncode == 0
    for name in UNITS:
        assert f"# {home.folder / name}\n" in done.stdout.decode()
    assert "\nWatchdogSec=30\n" in done.stdout.decode()
    assert not home.folder.exists()


def test_uninstalling_removes_what_was_installed(home: Home) -> None:
    home.install()
    assert b"would remove" in home.install("--uninstall", "--dry-run").stdout
    assert home.service.exists()
    assert f"removed {home.service}\n" in home.install("--uninstall").stdout.decode()
    assert list(home.folder.iterdir()) == []
    done = home.install("--uninstall")
    assert (done.returncode, done.stdout[:9]) == (0, b"not there")


def test_nothing_can_be_started_where_systemd_does_not_answer(home: Home) -> None:
    done = home.install("--now")
    assert done.returncode == 1
    assert "the units are written, but systemd does not run here" in error_line(done)


def test_a_folder_that_cannot_be_written_is_named(home: Home) -> None:
    home.folder.parent.mkdir()
    home.folder.touch()
    done = home.install()
    assert done.returncode == 5
    assert f"{home.service}: Not a directory" in error_line(done)


def test_root_says_whose_service_it_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="say --system"):
        scope_of(user=False, system=False)
    assert scope_of(user=True, system=False) is Scope.USER
    with pytest.raises(ConfigError, match="exclude each other"):
        scope_of(user=True, system=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert scope_of(user=False, system=False) is Scope.USER
    with pytest.raises(ConfigError, match="by root alone; use sudo"):
        install(Scope.SYSTEM, now=False, dry_run=False, force=False)


def test_the_system_s_service_must_be_where_all_users_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for closed in ("/home", "/tmp", "/run/user"):
        with pytest.raises(ConfigError, match=f"for whom {closed} is closed, and"):
            check_reachable([f"{closed}/somebody/bin/ser-stream"])
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "ser-stream").touch(mode=0o755)
    monkeypatch.setattr("ser_stream.service.install._HIDDEN", ())
    with pytest.raises(ConfigError, match=r"for whom /\S+ is closed, and"):
        check_reachable([f"{folder}/ser-stream"])


def test_a_path_with_a_space_is_quoted_and_one_with_a_percent_sign_refused() -> None:
    service, _ = units(Scope.USER, ["/opt/my python", "-m", "ser_stream"])
    assert '\nExecStart="/opt/my python" -m ser_stream listen\n' in service.text
    for odd in ("/opt/100%/ser-stream", "/opt/$x", '/opt/"', "/opt/a\nb"):
        with pytest.raises(ConfigError, match="which unit files cannot"):
            units(Scope.USER, [odd])


@pytest.mark.parametrize("name", [*UNITS, *(f"user/{name}" for name in UNITS)])
def test_the_administrator_s_units_are_those_of_the_package(name: str) -> None:
    assert (SYSTEMD / name).read_bytes() == (PACKAGED / name).read_bytes()
    assert (SYSTEMD / name).resolve() == PACKAGED / name
