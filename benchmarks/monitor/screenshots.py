"""Pictures of the monitor, of a daemon that hears the bundled minute."""

import re
import socket
import time

from tests.helpers.browser import Page, browser
from tests.helpers.paths import ROOT
from tests.helpers.running_daemon import running_daemon

FOLDER = ROOT / "docs" / "monitor"
SETTLE_S = 1.0
"""For the chart, which is drawn a few times a second."""
SHOTS = [
    # name, width, height, light or dark, scale, seconds of the minute
    ("desktop-light", 1440, 860, "light", 1.0, 41.0),
    ("phone-dark", 390, 1500, "dark", 2.0, 45.0),
    ("desktop-dark", 1440, 860, "dark", 1.0, 49.0),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def take() -> None:
    """Write docs/monitor/*.png; takes a minute."""
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    with (
        running_daemon("--to", f"ws://127.0.0.1:{port}") as daemon,
        browser() as page,
    ):
        page.go(f"http://127.0.0.1:{port}/")
        page.wait_for("#state", "hearing")
        for name, width, height, scheme, scale, when in SHOTS:
            page.prefer(scheme)
            page.size(width, height, scale=scale)
            wait_for_sound(page, when)
            time.sleep(SETTLE_S)
            (FOLDER / f"{name}.png").write_bytes(page.picture())
        assert daemon.up


def wait_for_sound(page: Page, seconds: float) -> None:
    """Until the page knows so many seconds of the stream."""
    deadline = time.monotonic() + seconds + 60
    while True:
        found = re.search(r"\((\d+(?:\.\d)?) s\)", page.text("#facts"))
        if found and float(found[1]) >= seconds:
            return
        assert time.monotonic() < deadline, page.text("body")
        time.sleep(0.1)
