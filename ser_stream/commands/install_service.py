"""`ser-stream install-service`: the daemon as a service of systemd."""

import os
import shutil
import subprocess
from pathlib import Path

from ser_stream.commands.output import aligned, write
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.service.install import (
    Found,
    Scope,
    Unit,
    check_reachable,
    program,
    units,
)

SERVICE = "ser-stream.service"
TIMEOUT_S = 90.0
"""As long as systemd waits for a service to start."""


def scope_of(*, user: bool, system: bool) -> Scope:
    """Which systemd the flags mean; the user's, but root has to say.

    Raises:
        ConfigError: if they say both, or root says nothing.
    """
    if user and system:
        raise ConfigError("--user and --system exclude each other; give one")
    if not user and not system and os.geteuid() == 0:
        raise ConfigError(
            "you are root: say --system for a service of the machine, or --user for "
            "one of root's own session"
        )
    return Scope.SYSTEM if system else Scope.USER


def install(scope: Scope, *, now: bool, dry_run: bool, force: bool) -> None:
    """Write the units, have systemd read them, and tell what to do next.

    Raises:
        ConfigError: if it is not allowed, or would not work.
        SinkError: if a file cannot be written.
        SerStreamError: if systemd refuses.
    """
    command = program()
    wanted = units(scope, command)
    if dry_run:
        for unit in wanted:
            write(f"# {unit.path}\n{unit.text}\n")
        return
    if scope is Scope.SYSTEM:
        _need_root()
        check_reachable(command)
    found = _refuse_foreign(wanted, force)
    for unit in wanted:
        if found[unit.path] is not Found.SAME:
            unit.write()
        verb = "unchanged" if found[unit.path] is Found.SAME else "wrote"
        write(f"{verb} {unit.path}\n")
    running = _reload(scope)
    if now:
        if not running:
            raise SerStreamError(
                "the units are written, but systemd does not run here, so nothing can "
                "be started now"
            )
        _systemctl(scope, "enable", SERVICE)
        _systemctl(scope, "restart", SERVICE)
        write(f"{SERVICE} is enabled and runs\n")
    write(_next_steps(scope, now))


def uninstall(scope: Scope, *, dry_run: bool, force: bool) -> None:
    """Stop and disable the service, and remove its units.

    Raises:
        ConfigError: if it is not allowed.
        SinkError: if a file cannot be removed.
    """
    wanted = units(scope, program())
    found = _refuse_foreign(wanted, force)
    there = [unit for unit in wanted if found[unit.path] is not Found.ABSENT]
    if dry_run or not there:
        verb = "would remove" if dry_run else "not there:"
        write("".join(f"{verb} {unit.path}\n" for unit in there or wanted))
        return
    if scope is Scope.SYSTEM:
        _need_root()
    if _answers(scope):
        names = [unit.path.name for unit in there]
        _systemctl(scope, "disable", "--now", *names)
    for unit in there:
        unit.remove()
        write(f"removed {unit.path}\n")
    _reload(scope)


def _need_root() -> None:
    if os.geteuid() != 0:
        raise ConfigError(
            "units of the system are written by root alone; use sudo, or --user for a "
            "service of your own"
        )


def _refuse_foreign(wanted: list[Unit], force: bool) -> dict[Path, Found]:
    found = {unit.path: unit.found() for unit in wanted}
    foreign = [str(path) for path, what in found.items() if what is Found.FOREIGN]
    if foreign and not force:
        raise ConfigError(
            f"{' and '.join(foreign)} was changed by hand, or is not ours; put your "
            "changes into `systemctl edit ser-stream`, which survives installations, "
            "then use --force"
        )
    return found


def _answers(scope: Scope) -> bool:
    if shutil.which("systemctl") is None:
        return False
    # As a pipe: "offline" or "unknown" is also said by the exit status, "degraded" too.
    done = _run([*scope.systemctl, "is-system-running"])
    return done.stdout.strip() not in ("", "offline", "unknown")


def _reload(scope: Scope) -> bool:
    if _answers(scope):
        _systemctl(scope, "daemon-reload")
        return True
    why = "the user's systemd cannot be reached from here"
    if scope is Scope.SYSTEM or not Path("/run/systemd/system").is_dir():
        why = "systemd does not run here"
    command = " ".join([*scope.systemctl, "daemon-reload"])
    write(f"{why}; where it does: {command}\n")
    return False


def _systemctl(scope: Scope, *arguments: str) -> None:
    command = [*scope.systemctl, *arguments]
    done = _run(command)
    if done.returncode:
        said = done.stderr.strip() or f"status {done.returncode}"
        raise SerStreamError(f"`{' '.join(command)}` failed: {said}")


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SerStreamError(f"`{' '.join(command)}`: {error}") from None


def _next_steps(scope: Scope, now: bool) -> str:
    systemctl = " ".join(scope.systemctl)
    journal = "journalctl --user" if scope is Scope.USER else "journalctl"
    steps = [
        (f"{systemctl} enable --now ser-stream", "start it, now and at every login"),
        ("loginctl enable-linger", "start it at boot, and keep it after a logout"),
    ]
    if scope is Scope.SYSTEM:
        steps = [(f"{systemctl} enable --now ser-stream", "start it, now and at boot")]
    if now:
        steps = steps[1:]
    steps += [
        (f"{journal} -u ser-stream -f", "follow its log"),
        ("ser-stream doctor", "see what is wrong"),
    ]
    return "next:\n" + "".join(f"  {line}\n" for line in aligned(steps))
