"""The sources of PulseAudio, or of PipeWire speaking its protocol, by `pactl`."""

import logging
import math
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from ser_stream.service.environment import surroundings

_LOGGER = logging.getLogger(__name__)
_TIMEOUT_S = 3.0
WATCH_S = 1.5
"""How often a source that is recorded from is looked for."""


@dataclass(frozen=True, slots=True)
class PulseSource:
    """Something that PulseAudio can record."""

    name: str
    description: str
    """What desktops show to users."""
    channels: int
    rate: int
    """Hertz."""
    monitor: bool
    """True where it records what a sink plays."""
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
    return {**surroundings(), "LC_ALL": "C"}


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


class SourcePoll:
    """Asks now and then which sources there are, and never waits for the answer."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._asked = -math.inf
        self._pactl: subprocess.Popen[bytes] | None = None
        self.sources: dict[str, str] | None = None
        """Name -> number; None without an answer. A source that went and came back has
        another number."""

    def fresh(self) -> bool:
        """Whether an answer, or none, has come since the last call."""
        now = time.monotonic()
        if self._pactl is None:
            if now < self._asked + self._every_s:
                return False
            self._asked = now
            self._pactl = _start_listing()
            if self._pactl is not None:
                return False
            self.sources = None
            return True
        if self._pactl.poll() is None:
            if now < self._asked + _TIMEOUT_S:
                return False
            self._pactl.kill()
        output, _ = self._pactl.communicate()
        answered = self._pactl.returncode == 0
        self._pactl = None
        text = output.decode(errors="replace")
        rows = [line.split("\t") for line in text.splitlines()]
        self.sources = {r[1]: r[0] for r in rows if len(r) > 1} if answered else None
        return True

    def close(self) -> None:
        """Stop asking; the next `fresh` begins anew."""
        if self._pactl is not None:
            self._pactl.kill()
            self._pactl.communicate()
            self._pactl = None


def _start_listing() -> "subprocess.Popen[bytes] | None":
    try:
        return subprocess.Popen(
            ["pactl", "list", "short", "sources"],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


class SourceWatch:
    """Notices that a source is no more.

    When one is unplugged, PulseAudio moves its streams to the default source and says
    nothing to ALSA: we would go on, and listen to another room. Nor does it move them
    back when the source returns.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._poll = SourcePoll(WATCH_S)
        self._number: str | None = None
        # At once, so that the number is that of the source which was opened.
        self._poll.fresh()

    def gone(self) -> bool:
        """Whether it has gone, as far as is known; never waits for the answer."""
        if not self._poll.fresh() or self._poll.sources is None:
            return False
        number = self._poll.sources.get(self._source)
        self._number = self._number or number
        return number is None or number != self._number

    def close(self) -> None:
        self._poll.close()
