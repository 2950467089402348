"""Puts the packaged unit files where systemd looks, for this installation."""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from ser_stream import __version__
from ser_stream.errors import ConfigError, SinkError
from ser_stream.paths import is_file, user_path

PACKAGED_PROGRAM = "/usr/local/bin/ser-stream"
"""What the packaged units start; here it becomes this installation's program."""
UNITS = ("ser-stream.service", "ser-stream.socket")
_MARK = "# Written by `ser-stream install-service`"
_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))
"""What ProtectHome= and PrivateTmp= of the system unit take away."""


class Scope(StrEnum):
    USER = "user"
    SYSTEM = "system"

    @property
    def systemctl(self) -> list[str]:
        return ["systemctl", "--user"] if self is Scope.USER else ["systemctl"]

    @property
    def folder(self) -> Path:
        if self is Scope.SYSTEM:
            return Path("/etc/systemd/system")
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return user_path(home) / "systemd" / "user"


class Found(StrEnum):
    ABSENT = "absent"
    SAME = "same"
    OURS = "ours"
    """Written by an installation, and not changed since."""
    FOREIGN = "foreign"
    """Changed by hand, or never ours."""


@dataclass(frozen=True, slots=True)
class Unit:
    path: Path
    text: str

    def found(self) -> Found:
        """What stands in its place now.

        Raises:
            SinkError: if that cannot be read.
        """
        if self.path.is_symlink():  # masked, or a link that the administrator made
            return Found.FOREIGN
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return Found.ABSENT
        except OSError as error:
            raise SinkError(f"cannot read {self.path}: {error.strerror}") from None
        if text == self.text:
            return Found.SAME
        mark, _, rest = text.partition("\n")
        ours = mark.startswith(_MARK) and mark.endswith(f"sha256 {_hash(rest)}")
        return Found.OURS if ours else Found.FOREIGN

    def write(self) -> None:
        """Put it there, whole or not at all.

        Raises:
            SinkError: if it cannot be written.
        """
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(self.text, encoding="utf-8")
            aside.chmod(0o644)
            os.replace(aside, self.path)
        except OSError as error:
            raise SinkError(f"cannot write {self.path}: {error.strerror}") from None
        finally:
            aside.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take it away.

        Raises:
            SinkError: if it cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"cannot remove {self.path}: {error.strerror}") from None


def units(scope: Scope, program: list[str]) -> list[Unit]:
    """The packaged units, with `program` for what they start.

    Raises:
        ConfigError: if systemd could not be told of such a path.
    """
    folder = files("ser_stream") / "service" / "units"
    if scope is Scope.USER:
        folder = folder / "user"
    command = " ".join(map(_word, program))
    made = []
    for name in UNITS:
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace(f"={PACKAGED_PROGRAM} ", f"={command} ")
        mark = f"{_MARK}, version {__version__}, sha256 {_hash(text)}"
        made.append(Unit(scope.folder / name, f"{mark}\n{text}"))
    return made


def program() -> list[str]:
    """The command that starts this installation, with its whole path."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("ser-stream")
    for path in (called, beside):
        if path.name == "ser-stream" and is_file(path):
            return [os.path.abspath(path)]  # noqa: PTH100  links stay as they are
    return [sys.executable, "-m", "ser_stream"]


def check_reachable(program: list[str]) -> None:
    """Make sure that the system unit's user could run `program`.

    Raises:
        ConfigError: if the unit hides it, or it is closed to other users.
    """
    package = Path(str(files("ser_stream")))
    for path in (Path(program[0]), Path(sys.executable), package):
        for each in (path, Path(os.path.realpath(path))):
            closed = _closed(each)
            if closed is not None:
                raise ConfigError(
                    f"the system's service runs as a user of its own, for whom "
                    f"{closed} is closed, and {each} is in there; install ser-stream "
                    "where all users can read it, such as a venv in /opt/ser-stream, "
                    "or use --user"
                )


def _closed(path: Path) -> Path | None:
    for hidden in _HIDDEN:
        if path.is_relative_to(hidden):
            return hidden
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None if path.stat().st_mode & 0o004 else path


def _word(text: str) -> str:
    # What systemd would take for a quote, a variable or a specifier.
    if re.search(r"[\"'\\$%\x00-\x1f]", text):
        raise ConfigError(
            f"the path {text!r} holds a quote, a backslash, $, % or a control "
            "character, which unit files cannot; install ser-stream elsewhere"
        )
    return f'"{text}"' if " " in text else text


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
