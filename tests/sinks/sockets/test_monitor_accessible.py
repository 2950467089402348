"""For everyone: axe-core finds nothing, and all fits from phone to wide screen."""

import hashlib
from collections.abc import Iterator

import pytest

from ser_stream.commands.colours import USUAL
from tests.helpers.browser import Page, browser
from tests.helpers.monitor import (
    AXE,
    fits,
    open_monitor,
    steady,
    step,
    violations,
    watch,
)
from tests.helpers.socket_server import serving, status

AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
SIZES = {"phone": (360, 740), "tablet": (800, 1100), "wide": (1920, 1080)}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        watch(page)
        # axe-core compiles its messages; what it looks at is the page as it is.
        page.call("Page.setBypassCSP", enabled=True)
        yield page


def test_axe_is_the_one_that_was_published() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(page: Page, size: str, scheme: str) -> None:
    page.size(*SIZES[size])
    page.prefer(scheme)
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        for seq in range(1, 100):
            server.send(step(seq, "neutral"))
        server.send(steady(100, "start", "sad", 1, 15))
        page.wait_for("#why", "The present step says neutral")
        server.send(status(101))
        page.wait_for("#rows", "the microphone is gone")
        assert violations(page) == []
        assert fits(page), "it has to be scrolled sideways"
    page.wait_for("#state", "not connected")
    assert violations(page) == []


def test_axe_finds_nothing_where_a_token_is_asked_for(page: Page) -> None:
    page.size(*SIZES["phone"])
    with serving("ws://localhost:0", token="secret") as server:
        page.go(f"http://localhost:{server.addresses[0].port}/")
        page.wait_for("body", "This daemon asks for its token")
        assert violations(page) == []


def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    page.size(*SIZES["wide"])
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        page.value("document.activeElement.blur()")
        reached = []
        for _ in range(14):
            for kind in ("keyDown", "keyUp"):
                page.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key="Tab",
                    code="Tab",
                    windowsVirtualKeyCode=9,
                )
            focus = "document.activeElement"
            reached.append(page.value(f"{focus}.id || {focus}.dataset.span"))
        buttons = ["60", "300", "900", "3600", "earlier", "later", "closer", "wider"]
        assert reached[:8] == buttons
        assert {"pause", "png", "csv", "chart", "events"} <= set(reached)


def test_colours_differ_for_the_colour_blind(page: Page) -> None:
    with serving("ws://localhost:0") as server:
        open_monitor(page, server)
        labels = list(USUAL)
        tones = page.value(
            "import('./palette.js').then(({colour}) =>"
            f" {labels}.map((label) => colour(label)))"
        )
    # Of Okabe and Ito, and the same as in watch, in reports and in plots.
    assert [tone.upper() for tone in tones] == list(USUAL.values())
    five = dict(zip(labels, tones, strict=True))
    assert len({five[x] for x in ("angry", "fear", "happy", "neutral", "sad")}) == 5
