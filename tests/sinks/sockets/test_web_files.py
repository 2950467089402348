"""The files of the page are served as what they are, and come from nowhere else."""

import hashlib
import re
import urllib.request
from collections.abc import Iterator

import pytest

from ser_stream.sinks.sockets.server import SocketServer
from ser_stream.sinks.sockets.web_files import load_files
from tests.helpers.paths import ROOT
from tests.helpers.socket_server import serving

WEB = ROOT / "ser_stream/sinks/sockets/web"
README = (WEB / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[SocketServer]:
    with serving("ws://localhost:0") as server:
        yield server


@pytest.mark.parametrize("path", load_files())
def test_each_file_is_served_with_its_type(server: SocketServer, path: str) -> None:
    url = str(server.addresses[0]).replace("ws:", "http:") + path
    with urllib.request.urlopen(url, timeout=60) as answer:
        kind = {"css": "text/css", "js": "text/javascript"}.get(
            path.rpartition(".")[2], "text/html"
        )
        assert answer.headers.get_content_type() == kind
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        name = "page.html" if path == "/" else path[1:]
        assert answer.read() == (WEB / name).read_bytes()


def test_the_library_is_the_one_that_was_published() -> None:
    told = dict(re.findall(r"\| `(uplot\S+)` \| `([0-9a-f]{64})` \|", README))
    assert set(told) == {"uplot.iife.min.js", "uplot.min.css"}
    for name, sha256 in told.items():
        assert hashlib.sha256((WEB / name).read_bytes()).hexdigest() == sha256


def test_the_page_names_no_address_but_relative_ones() -> None:
    for file in WEB.iterdir():
        if file.suffix in (".html", ".css", ".js") and "min" not in file.name:
            text = file.read_text(encoding="utf-8")
            assert "://" not in text, file.name
            assert not re.search(r"(?:src|href)=\"/", text), file.name
            assert max(map(len, text.splitlines())) <= 92, file.name


def test_the_readme_names_every_file() -> None:
    there = {file.name for file in WEB.iterdir()} - {"README.md"}
    assert there == set(re.findall(r"`([\w.]+\.(?:js|css|html|uplot))`", README))
