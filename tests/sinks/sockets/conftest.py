"""A server on a WebSocket, and a browser that its monitor is shown in."""

from collections.abc import Iterator

import pytest

from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page, browser
from tests.helpers.monitor import watch
from tests.helpers.socket_server import serving


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        watch(page)
        yield page


@pytest.fixture
def server() -> Iterator[SocketServer]:
    with serving("ws://localhost:0") as server:
        yield server
