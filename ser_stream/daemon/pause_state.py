"""What a daemon remembers over a restart: whether it was paused.

One small JSON file in the folder for state, written whole or not at all. Daemons are
told apart by the socket that they are controlled by.
"""

import json
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replace_file
from ser_stream.paths import state_folder

VERSION = 1


class PausedState:
    """Remembers which sources of the daemon with one control socket are paused."""

    def __init__(self, socket: Path, folder: Path | None = None) -> None:
        self._key = str(socket)
        self._path = (folder or state_folder()) / "state.json"

    def read(self, source: str = "") -> bool:
        """Whether it was paused; False where nothing, or nothing legible, is kept.

        Args:
            source: its name, of several; empty for the only one.
        """
        return self._key_of(source) in self._paused()

    def write(self, paused: bool, source: str = "") -> None:
        """Remember it.

        Raises:
            OSError: if it cannot be written; what was there is then still there.
        """
        mine = self._key_of(source)
        others = [key for key in self._paused() if key != mine]
        if paused == self.read(source):
            return
        keys = sorted([*others, mine] if paused else others)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"version": VERSION, "paused": keys}, indent=2) + "\n"
        replace_file(self._path, text.encode(), mode=0o600)

    def _key_of(self, source: str) -> str:
        return f"{self._key}#{source}" if source else self._key

    def _paused(self) -> list[str]:
        try:
            values: Any = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        keys = values.get("paused") if isinstance(values, dict) else None
        return [str(key) for key in keys] if isinstance(keys, list) else []
