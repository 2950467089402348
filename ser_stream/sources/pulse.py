"""The sources of PulseAudio, or of PipeWire speaking its protocol, by `pactl`."""

import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

_LOGGER = logging.getLogger(__name__)
_TIMEOUT_S = 3.0
WATCH_S = 2.0
"""How often a source is looked for that somebody records from."""


@dataclass(frozen=True, slots=True)
class PulseSource:
    """Something that PulseAudio can record."""

    name: str
    description: str
    """What desktops show to people."""
    channels: int
    rate: int
    """Hertz."""
    monitor: bool
    """True where it hears what a sink plays."""
    card: int | None
    """ALSA's number of the sound card, where known."""
    default: bool


def list_sources() -> list[PulseSource]:
    """All sources; none without `pactl` or a server that answers."""
    pactl = shutil.which("pactl")
    if pactl is None or sys.platform != "linux":
        return []
    # Not `-f json`: older ones do not know it, and version 16 says "(null)" for any
    # text with an umlaut in it.
    text = _ask(pactl, "list", "sources")
    if not text:
        return []
    match = re.search(r"^Default Source: (.+)$", _ask(pactl, "info"), re.M)
    default = match[1] if match else ""
    blocks = re.split(r"^Source #\d+\n", text, flags=re.M)[1:]
    return [source for block in blocks if (source := _parse(block, default))]


def _ask(pactl: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [pactl, *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _LOGGER.warning("PulseAudio's sources are not listed: %s", error)
        return ""
    if done.returncode:
        _LOGGER.debug("pactl: %s", done.stderr.decode(errors="replace").strip())
        return ""
    return done.stdout.decode(errors="replace")


def _environment() -> dict[str, str]:
    # Labels are translated otherwise.
    return {**os.environ, "LC_ALL": "C"}


def _parse(block: str, default: str) -> PulseSource | None:
    def field(pattern: str) -> str:
        match = re.search(pattern, block, re.M)
        return match[1].strip() if match else ""

    name = field(r"^\tName: (.*)$")
    if not name:
        return None
    card = field(r'^\t\t(?:api\.)?alsa\.(?:pcm\.)?card = "(\d+)"$')
    return PulseSource(
        name=name,
        description=field(r"^\tDescription: (.*)$") or name,
        channels=int(field(r"^\tSample Specification: \S+ (\d+)ch") or 1),
        rate=int(field(r"^\tSample Specification: \S+ \d+ch (\d+)Hz") or 48_000),
        monitor=field(r"^\tMonitor of Sink: (.*)$") not in ("", "n/a"),
        card=int(card) if card else None,
        default=name == default,
    )


@contextlib.contextmanager
def recording_from(source: str | None) -> Iterator[None]:
    """Let what PortAudio opens as `pulse` meanwhile record from `source`.

    PulseAudio's library looks at the environment when it connects, and at nothing
    else that PortAudio lets through. None leaves the environment alone.
    """
    if source is None:
        yield
        return
    before = os.environ.get("PULSE_SOURCE")
    os.environ["PULSE_SOURCE"] = source
    try:
        yield
    finally:
        if before is None:
            del os.environ["PULSE_SOURCE"]
        else:
            os.environ["PULSE_SOURCE"] = before


class SourceWatch:
    """Notices that a source is no more.

    When one is unplugged, PulseAudio moves its streams to the default source and says
    nothing to ALSA: we would go on, and listen to another room.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._asked = time.monotonic()
        self._pactl: subprocess.Popen[bytes] | None = None

    def gone(self) -> bool:
        """Whether it has gone, as far as is known; never waits for the answer."""
        now = time.monotonic()
        if self._pactl is None:
            if now >= self._asked + WATCH_S:
                self._asked = now
                self._ask()
            return False
        if self._pactl.poll() is None:
            return False
        output, _ = self._pactl.communicate()
        answered = self._pactl.returncode == 0
        self._pactl = None
        names = [line.split("\t")[1] for line in output.decode().splitlines()]
        return answered and self._source not in names

    def _ask(self) -> None:
        with contextlib.suppress(OSError):
            self._pactl = subprocess.Popen(
                ["pactl", "list", "short", "sources"],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """Stop asking."""
        if self._pactl is not None:
            self._pactl.kill()
            self._pactl.communicate()
            self._pactl = None
