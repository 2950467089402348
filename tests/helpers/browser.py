"""Headless Chromium, told what to do over its DevTools protocol."""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --remote-debugging-port=0 about:blank"
)
TIMEOUT = 30.0


def require() -> str:
    """The program; skips the test, aloud, where there is none.

    With SER_STREAM_REQUIRE_MICROPHONE=1, as in CI, it fails instead.
    """
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is not None:
        return found
    reason = "the browser page is tested in chromium, which is not installed"
    if os.environ.get("SER_STREAM_REQUIRE_MICROPHONE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Page:
    """One tab."""

    connection: ClientConnection
    pid: int
    """Of the browser, whose children do the work."""
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        id = next(self._ids)
        call = {"id": id, "method": method, "params": parameters}
        self.connection.send(json.dumps(call))
        while True:
            answer = json.loads(self.connection.recv(timeout=TIMEOUT))
            if answer.get("id") == id:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def go(self, url: str) -> None:
        """Load a page."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript; None while there is nothing to evaluate it on.

        Of a promise, what it becomes.
        """
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        return answer["result"].get("value")

    def size(self, width: int, height: int, *, scale: float = 1) -> None:
        """Give the window a size, in CSS pixels, as of a screen with `scale`."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def prefer(self, scheme: str) -> None:
        """Ask for `light` or `dark` pages."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        answer = self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    def text(self, selector: str) -> str:
        """The text that is visible there."""
        return str(self.value(f"document.querySelector({selector!r})?.innerText"))

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until `text` is seen there."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.text(selector):
            seen = self.text("body")
            assert time.monotonic() < deadline, f"{text!r} is not shown:\n{seen}"
            time.sleep(0.02)


@contextlib.contextmanager
def browser(*flags: str) -> Iterator[Page]:
    """A browser with nothing in it, and its one tab; `flags` are further ones."""
    program = require()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, f"--user-data-dir={folder}", *flags, *FLAGS.split()]
        with subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder},
        ) as process:
            try:
                with connect(_tab(Path(folder)), max_size=None) as connection:
                    yield Page(connection, process.pid)
            finally:
                process.terminate()


def _tab(folder: Path) -> str:
    """Where the one tab listens; waits for the browser to start."""
    told = folder / "DevToolsActivePort"
    deadline = time.monotonic() + TIMEOUT
    while not told.exists() or not told.read_text():
        assert time.monotonic() < deadline, "chromium does not start"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [tab for tab in json.load(answer) if tab["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
