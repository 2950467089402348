"""Signs, cheap to read, that a device may have come: worth a scan for devices."""

import contextlib
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from ser_stream.sources.pulse import SourcePoll

LOOK_S = 1.0
"""How often they are looked at; costs 6 ms of processor time."""
ASOUND = Path("/proc/asound")


class _Look(NamedTuple):
    sources: dict[str, str] | None
    """PulseAudio's sources by name, with their numbers; None without a server."""
    cards: str
    """What the kernel says: the cards, and which of their inputs are in use."""


class DeviceChanges:
    """Compares what is seen now with what was seen when it last told of a change."""

    def __init__(self, asound: Path = ASOUND) -> None:
        self._asound = asound
        self._poll = SourcePoll(LOOK_S)
        self._told: _Look | None = None
        self._before: _Look | None = None

    @property
    def possible(self) -> bool:
        """Whether there is anything to be seen on this system."""
        linux = sys.platform == "linux"
        return linux and (self._asound.is_dir() or shutil.which("pactl") is not None)

    def changed(self) -> bool:
        """Whether something changed since the last time that it said so.

        Never waits; to be called often, for each look takes a moment to come in.
        """
        if not self._poll.fresh():
            return False
        look, before = _Look(self._poll.sources, self._cards()), self._before
        self._before = look
        told = self._told
        if look == told:
            return False
        if told and told.sources == look.sources is not None and look != before:
            # A new card. The sound server takes it in a moment; if we did before, it
            # could not, and no other program would have it.
            return False
        self._told = look
        return True

    def close(self) -> None:
        """Stop looking; what was seen stays known."""
        self._poll.close()

    def _cards(self) -> str:
        seen = [_read(self._asound / "cards")]
        for status in sorted(self._asound.glob("card*/pcm*c/sub*/status")):
            seen.append(f"{status} {_read(status).startswith('closed')}")
        return "\n".join(seen)


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""
