"""Pictures of the monitor, of a daemon that hears the bundled minute."""

import re
import time

from tests.helpers.browser import Page, browser
from tests.helpers.paths import ROOT
from tests.helpers.running_daemon import running_daemon
from tests.helpers.subpath_proxy import free_port

FOLDER = ROOT / "docs" / "monitor"
SETTLE_S = 1.0
"""For health, which is drawn once a second."""
SHOTS = [
    # name, width, height, light or dark, scale, seconds of the minute
    ("desktop-light", 1440, 1070, "light", 1.0, 41.0),
    ("phone-dark", 390, 1240, "dark", 1.5, 45.0),
    ("desktop-dark", 1440, 1070, "dark", 1.0, 49.0),
]


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
            # Where the present step has scores; then the chart, drawn now and then.
            time.sleep(SETTLE_S)
            page.wait_for("#heard", "%")
            time.sleep(0.3)
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
