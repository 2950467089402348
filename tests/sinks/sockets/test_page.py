"""The page shows in a real browser what is published after it was loaded."""

from collections.abc import Iterator

import pytest

from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page, browser
from tests.helpers.socket_server import emotion, prediction, serving, status


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        yield page


def open_page(page: Page, server: SocketServer) -> None:
    page.go(f"http://localhost:{server.addresses[0].port}/")


def test_the_page_shows_live_events(page: Page) -> None:
    with serving("ws://localhost:0") as server:
        open_page(page, server)
        page.wait_for("#state", "hearing test.wav with model test")
        assert page.text("#bars").split() == [
            "angry",
            "fear",
            "happy",
            "neutral",
            "sad",
        ]
        # From here on, live.
        server.send(prediction(1))
        page.wait_for("#heard", "angry 80 %")
        page.wait_for("#bars", "80 %")
        assert page.value("document.querySelector('#bars i').style.width") == "80%"
        server.send(emotion(2, "start", "happy"))
        page.wait_for("#emotion", "happy")
        page.wait_for("#events", "happy")
        page.wait_for("#events", "74 %")
        server.send(emotion(3, "end", "happy"))
        page.wait_for("#emotion", "–")
        server.send(status(4, "lost"))
        page.wait_for("#events", "audio lost: the microphone is gone")


def test_the_page_comes_back_when_the_daemon_does(page: Page) -> None:
    with serving("ws://localhost:0") as server:
        address = str(server.addresses[0])
        open_page(page, server)
        page.wait_for("#state", "hearing")
    page.wait_for("#state", "not connected: shutdown; trying again")
    with serving(address) as server:
        page.wait_for("#state", "hearing")
        server.send(emotion(1, "start", "sad"))
        page.wait_for("#emotion", "sad")


def test_what_comes_from_outside_is_shown_as_text(page: Page) -> None:
    with serving("ws://localhost:0") as server:
        open_page(page, server)
        page.wait_for("#state", "hearing")
        server.send(emotion(1, "start", "<img src=x onerror=alert(1)>"))
        page.wait_for("#emotion", "<img src=x onerror=alert(1)>")
        assert page.value("document.images.length") == 0


def test_the_page_asks_for_the_token(page: Page) -> None:
    enter = (
        "document.querySelector('#token').value = {!r};"
        "document.querySelector('#ask').requestSubmit()"
    )
    with serving("ws://localhost:0", token="secret") as server:
        open_page(page, server)
        page.wait_for("body", "This daemon asks for its token")
        page.value(enter.format("wrong"))
        page.wait_for("#state", "the token is not right")
        page.wait_for("body", "This daemon asks for its token")
        page.value(enter.format("secret"))
        page.wait_for("#state", "hearing")
        server.send(emotion(1, "start", "fear"))
        page.wait_for("#emotion", "fear")
        assert "This daemon asks" not in page.text("body")
