"""What a daemon remembers over a restart: whether it was paused.

One small JSON file in the folder for state, written whole or not at all. Daemons are
told apart by the socket that they are controlled by.
"""

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.paths import state_folder

_LOGGER = logging.getLogger(__name__)
VERSION = 1


class PausedState:
    """Remembers which sources of the daemon with one control socket are paused.

    Where the file cannot be read, all are: a microphone that was closed on request is
    not opened for that. Other daemons have theirs in it, so that from then on each is
    paused that has not been resumed since.
    """

    def __init__(self, socket: Path, folder: Path | None = None) -> None:
        self._key = str(socket)
        self._path = (folder or state_folder()) / "state.json"

    def read(self, sources: Iterable[str] = ("",)) -> frozenset[str]:
        """Which of the sources were paused; the log tells where nobody knows.

        Where there was one microphone and now there are several, or the other way
        round, which is which is not known: all are paused if any was.

        Args:
            sources: their names, of several; an empty one for the only one.
        """
        keys = {name: self._key_of(name) for name in sources}
        try:
            kept = self._kept()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            if self._is_out_of_reach():
                _LOGGER.warning("a pause is not remembered: %s: %s", self._path, reason)
                return frozenset()
            kept = _LOST
        else:
            reason = "it was damaged once"
        if kept.lost and not kept.known.issuperset(keys.values()):
            _LOGGER.warning(
                "whether it was paused is not known, so it starts paused; `ser-stream "
                "resume` goes on: %s: %s",
                self._path,
                reason,
            )
        if others := self._of_another_number(kept, keys.values()):
            kept = kept.in_place_of(others, keys.values())
            # So that a resume counts. Unwritten, it is found out anew next time.
            with contextlib.suppress(OSError):
                self._change(lambda now: now.in_place_of(others, keys.values()))
        return frozenset(name for name, key in keys.items() if kept.is_paused(key))

    def _of_another_number(
        self, kept: "_Kept", keys: Collection[str]
    ) -> frozenset[str]:
        """Keys of ours that are paused, and are named as nothing is now."""
        if self._key not in keys:
            return kept.paused & {self._key}
        if len(keys) > 1:
            return frozenset()
        return frozenset(k for k in kept.paused if k.startswith(f"{self._key}#"))

    def write(self, paused: bool, source: str = "") -> None:
        """Remember it.

        Raises:
            OSError: if it cannot be written; what was there is then still there.
        """
        self._change(lambda kept: kept.after(self._key_of(source), paused))

    def _change(self, change: Callable[["_Kept"], "_Kept"]) -> None:
        kept = self._kept_or_lost()
        if change(kept) == kept:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Another daemon may do the same at this moment.
        with self._alone():
            now = change(self._kept_or_lost())
            values = {"version": VERSION, "paused": sorted(now.paused)}
            if now.lost:
                values |= {"lost": True, "resumed": sorted(now.resumed)}
            text = json.dumps(values, indent=2) + "\n"
            replace_file(self._path, text.encode(), mode=0o600)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder itself, which needs no file of its own for that."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Where the file system knows no locks, it goes without.
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _key_of(self, source: str) -> str:
        return f"{self._key}#{source}" if source else self._key

    def _is_out_of_reach(self) -> bool:
        """Whether we may not enter the folder, and so have never written to it."""
        effective = os.access in os.supports_effective_ids
        folder = self._path.parent
        return not os.access(folder, os.X_OK, effective_ids=effective)

    def _kept_or_lost(self) -> "_Kept":
        try:
            return self._kept()
        except (OSError, ValueError):
            return _LOST

    def _kept(self) -> "_Kept":
        try:
            text = self._path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return _Kept(frozenset())
        values: Any = json.loads(text)
        if not isinstance(values, dict) or not isinstance(values.get("paused"), list):
            raise ValueError("it holds no list of what is paused")
        resumed = values.get("resumed")
        return _Kept(
            frozenset(map(str, values["paused"])),
            values.get("lost") is True,
            frozenset(map(str, resumed if isinstance(resumed, list) else ())),
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the file says of all daemons, by their keys."""

    paused: frozenset[str]
    lost: bool = False
    """Whether an earlier file could not be read: who is not named counts as paused."""
    resumed: frozenset[str] = frozenset()
    """Since then."""

    @property
    def known(self) -> frozenset[str]:
        return self.paused | self.resumed

    def is_paused(self, key: str) -> bool:
        return key in self.paused or (self.lost and key not in self.resumed)

    def in_place_of(self, others: Iterable[str], keys: Iterable[str]) -> "_Kept":
        """With all of `keys` paused, and `others` unknown."""
        paused = self.paused.difference(others).union(keys)
        return _Kept(paused, self.lost, self.resumed.difference(keys))

    def after(self, key: str, paused: bool) -> "_Kept":
        if paused:
            return _Kept(self.paused | {key}, self.lost, self.resumed - {key})
        resumed = self.resumed | {key} if self.lost else self.resumed
        return _Kept(self.paused - {key}, self.lost, resumed)


_LOST = _Kept(frozenset(), lost=True)
