"""Units of systemd, the socket, and the daemon that answers on it."""

import os
from collections.abc import Iterator
from pathlib import Path

from ser_stream.client import AccessError, NotRunningError, control
from ser_stream.doctor.asking import ask
from ser_stream.doctor.finding import Finding, fail, ok, warn
from ser_stream.errors import SerStreamError
from ser_stream.paths import SYSTEM_SOCKET, default_socket
from ser_stream.service.install import Scope

TIMEOUT_S = 2.0
UNIT = "ser-stream.service"
SOCKET = "ser-stream.socket"


def sockets() -> list[Path]:
    """Where a daemon may listen: the user's own, and the machine's."""
    return list(dict.fromkeys((default_socket(), SYSTEM_SOCKET)))


def check_daemon(path: Path) -> tuple[Finding | None, str]:
    """Ask a daemon how it is.

    Returns:
        The finding, or None where no daemon is; and the device that it has open.
    """
    name = f"socket {path}"
    if _waits(path):
        return ok(name, "systemd starts the daemon when a program connects"), ""
    try:
        status = control("status", path, TIMEOUT_S)
    except NotRunningError:
        if not path.exists():
            return None, ""
        text = "left by a daemon that has gone; the next one replaces it"
        return ok(name, text), ""
    except AccessError:
        fix = (
            "sudo usermod --append --groups audio $USER, then log in again; or see "
            "SocketGroup= in docs/service.md"
        )
        return warn(name, "a daemon listens, but not to this user", fix), ""
    except SerStreamError as error:
        fix = f"systemctl [--user] restart {UNIT}, or end the program that listens"
        return fail(name, str(error), fix), ""
    audio, model = status["audio"], status["model"]["name"]
    text = f"a daemon answers: ser-stream {status['version']}, model {model}, audio "
    text += " ".join(filter(None, (audio["state"], audio["device"], audio["detail"])))
    if status["paused"]:
        return warn(name, text, "ser-stream resume"), ""
    if status["degraded"]:
        return warn(name, text, "see what is said of the microphone below"), ""
    return ok(name, text), audio["device"]


def check_folder() -> Iterator[Finding]:
    """Look whether a daemon of this user could make its socket."""
    path = default_socket()
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return
    yield warn(
        "permissions",
        f"this user cannot make {path}: {folder} is closed to them",
        "log in as a user, so that XDG_RUNTIME_DIR is set; or let systemd start it",
    )


def check_units() -> Iterator[Finding]:
    found = False
    for scope in Scope:
        state = _show(scope, UNIT, _PROPERTIES)
        installed = (scope.folder / UNIT).exists()
        if state.get("LoadState", "not-found") == "not-found" and not installed:
            continue
        found = True
        yield _unit(scope, state)
        if scope is Scope.USER and state.get("UnitFileState") == "enabled":
            yield from _linger()
    if not found:
        yield ok("service", "none is installed; ser-stream install-service does that")


_ENABLED = ("enabled", "enabled-runtime")
_PROPERTIES = (
    "LoadState,ActiveState,UnitFileState,Result,ExecMainStatus,NeedDaemonReload"
)


def _unit(scope: Scope, state: dict[str, str]) -> Finding:
    name = f"{scope} service"
    systemctl = " ".join(scope.systemctl)
    journal = "journalctl --user" if scope is Scope.USER else "journalctl"
    active = state.get("ActiveState")
    if active is None:
        who = "that user, logged in" if scope is Scope.USER else "root"
        return warn(
            name,
            f"{scope.folder / UNIT} is installed, but systemd cannot be asked",
            f"{systemctl} status {UNIT}, as {who}",
        )
    if state["LoadState"] not in ("loaded", "not-found"):
        return fail(
            name,
            f"the unit cannot be used: {state['LoadState']}",
            f"{systemctl} status {UNIT}; ser-stream install-service --force",
        )
    if active == "failed":
        return fail(
            name,
            f"it has failed: {state['Result']}, exit status {state['ExecMainStatus']}",
            f"{journal} -u {UNIT} -n 20 has the reason; then {systemctl} restart "
            f"{UNIT}",
        )
    if state["LoadState"] == "not-found" or state["NeedDaemonReload"] == "yes":
        return warn(name, "its unit has changed since", f"{systemctl} daemon-reload")
    socket = _show(scope, SOCKET, "UnitFileState").get("UnitFileState")
    if state["UnitFileState"] in _ENABLED:
        return ok(name, f"it is {active} and enabled")
    if socket in _ENABLED:
        return ok(name, f"it is {active}, and starts when a program connects")
    return warn(
        name,
        f"it is {active}, and will not start by itself",
        f"{systemctl} enable --now {UNIT}",
    )


def _show(scope: Scope, unit: str, properties: str) -> dict[str, str]:
    """Properties of a unit by name; empty where systemd cannot be asked."""
    shown = ask(*scope.systemctl, "show", "--property", properties, unit)
    return dict(line.split("=", 1) for line in (shown or "").splitlines())


def _waits(path: Path) -> bool:
    """Whether systemd listens there, so that connecting would start the daemon."""
    for scope in Scope:
        state = _show(scope, SOCKET, "SubState,Listen")
        listening = state.get("SubState") == "listening"
        if listening and state.get("Listen", "").startswith(f"{path} "):
            return True
    return False


def _linger() -> Iterator[Finding]:
    user = str(os.getuid())
    if ask("loginctl", "show-user", "--property=Linger", user) == "Linger=no":
        yield ok(
            "linger",
            "the service ends with the last session of this user; to keep it: "
            "loginctl enable-linger",
        )
