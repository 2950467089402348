"""What a daemon remembers over a restart: whether it was paused.

One small JSON file in the folder for state, written whole or not at all. Daemons are
told apart by the socket that they are controlled by.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.paths import state_folder

_LOGGER = logging.getLogger(__name__)
VERSION = 1


class PausedState:
    """Remembers which sources of the daemon with one control socket are paused."""

    def __init__(self, socket: Path, folder: Path | None = None) -> None:
        self._key = str(socket)
        self._path = (folder or state_folder()) / "state.json"

    def read(self, sources: Iterable[str] = ("",)) -> frozenset[str]:
        """Which of the sources were paused.

        All of them where a file is there that cannot be read: a microphone that was
        closed on request is not opened for that. The log then says so, and what is
        returned is written down.

        Args:
            sources: their names, of several; an empty one for the only one.
        """
        names = list(sources)
        try:
            keys = self._kept()
        except (OSError, ValueError) as error:
            _LOGGER.warning(
                "whether it was paused cannot be read, so it starts paused, and "
                "`ser-stream resume` goes on: %s: %s",
                self._path,
                getattr(error, "strerror", None) or error,
            )
            try:
                self._replace([self._key_of(name) for name in names])
            except OSError as failure:
                _LOGGER.warning("%s: %s", self._path, failure.strerror)
            return frozenset(names)
        return frozenset(name for name in names if self._key_of(name) in keys)

    def write(self, paused: bool, source: str = "") -> None:
        """Remember it.

        Raises:
            OSError: if it cannot be written; what was there is then still there.
        """
        mine = self._key_of(source)
        try:
            keys = self._kept()
        except (OSError, ValueError):
            keys = []
        else:
            if paused == (mine in keys):
                return
        others = [key for key in keys if key != mine]
        self._replace([*others, mine] if paused else others)

    def _replace(self, keys: list[str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = {"version": VERSION, "paused": sorted(keys)}
        text = json.dumps(values, indent=2) + "\n"
        replace_file(self._path, text.encode(), mode=0o600)

    def _key_of(self, source: str) -> str:
        return f"{self._key}#{source}" if source else self._key

    def _kept(self) -> list[str]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return []
        values: Any = json.loads(text)
        keys = values.get("paused") if isinstance(values, dict) else None
        if not isinstance(keys, list):
            raise ValueError("it holds no list of what is paused")
        return [str(key) for key in keys]
