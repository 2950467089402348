"""A terminal of any size, by tmux, in which a program runs and is looked at."""

import contextlib
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.program import ENVIRONMENT

WITHIN_S = 60.0


class Terminal:
    """One window of a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tmux(self, *arguments: str | Path) -> str:
        # Those of the terminal in which the tests run are not those of this one.
        others = ("NO_COLOR", "COLUMNS", "LINES", "TMUX")
        environment = {k: v for k, v in ENVIRONMENT.items() if k not in others}
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self._folder / "t", *arguments],
            capture_output=True,
            env={**environment, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=ROOT,
            check=False,
        )
        return done.stdout.decode()

    def run(self, width: int, height: int, *command: str) -> None:
        """Start a program; what it prints in the end stays there to be read."""
        program = f"{shlex.join(command)}; echo status $?; exec sleep 600"
        size = ("-x", str(width), "-y", str(height))
        self.tmux("new-session", "-d", *size, program)

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def capture(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait_for(self, seen: Callable[[str], object]) -> str:
        """The text as soon as it is as wanted; fails with it when it never is."""
        deadline = time.monotonic() + WITHIN_S
        while not seen(text := self.capture()):
            assert time.monotonic() < deadline, text
            time.sleep(0.05)
        return text


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Skips the test where there is no tmux."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    with tempfile.TemporaryDirectory() as folder:
        window = Terminal(Path(folder))
        try:
            yield window
        finally:
            window.tmux("kill-server")
