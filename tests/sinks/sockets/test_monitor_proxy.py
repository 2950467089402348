"""Behind a reverse proxy, in a subpath; with the configurations of the docs."""

import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.helpers.browser import Page
from tests.helpers.monitor import port, step, wrong
from tests.helpers.paths import ROOT
from tests.helpers.socket_server import serving, wait_until
from tests.helpers.subpath_proxy import free_port, subpath_proxy
from tests.helpers.web_servers import web_server

DOCUMENT = (ROOT / "docs" / "monitor.md").read_text(encoding="utf-8")
NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/a;
    proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d;
    scgi_temp_path {folder}/e;
    {map}
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


def block(language: str) -> str:
    """The configuration of the docs in one language."""
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def look(page: Page, proxied: int, up: Callable[[], bool]) -> None:
    """Open the page behind a proxy as soon as it listens."""

    def listens() -> bool:
        assert up()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", proxied)) == 0

    wait_until(listens)
    page.go(f"http://localhost:{proxied}/mood/")
    page.wait_for("#state", "hearing")
    assert wrong(page) == []


def test_the_page_works_in_a_subpath(page: Page) -> None:
    proxied = free_port()
    with (
        serving("ws://localhost:0", origins=[f"http://localhost:{proxied}"]) as server,
        subpath_proxy(port(server), "/rooms/kitchen", listen=proxied) as proxy,
    ):
        page.go(proxy.url("/rooms/kitchen/"))
        page.wait_for("#state", "hearing")
        server.send(step(1, "happy", 0.9))
        page.wait_for("#heard", "now: happy 90 %")
        assert wrong(page) == []
        paths = {request.split(b" ", 2)[1] for request in proxy.requests}
        assert all(path.startswith(b"/rooms/kitchen/") for path in paths)


def test_nginx_as_in_the_docs(page: Page, tmp_path: Path) -> None:
    program = web_server("nginx")
    proxied = free_port()
    with serving("ws://localhost:0", origins=[f"http://localhost:{proxied}"]) as server:
        text = block("nginx").replace("8765", str(port(server)))
        text = text.replace("127.0.0.1:", "localhost:")
        upgrade, location = re.split(r"(?m)^(?=location)", text, maxsplit=1)
        file = tmp_path / "nginx.conf"
        file.write_text(
            NGINX.format(folder=tmp_path, port=proxied, map=upgrade, location=location)
        )
        with subprocess.Popen([program, "-p", tmp_path, "-c", file]) as process:
            try:
                look(page, proxied, lambda: process.poll() is None)
                server.send(step(1, "happy", 0.9))
                page.wait_for("#heard", "now: happy 90 %")
            finally:
                process.terminate()


def test_caddy_as_in_the_docs(page: Page, tmp_path: Path) -> None:
    program = web_server("caddy")
    proxied = free_port()
    with serving("ws://localhost:0", origins=[f"http://localhost:{proxied}"]) as server:
        text = block("caddy").replace("8765", str(port(server)))
        text = text.replace("127.0.0.1:", "localhost:")
        text = text.replace("mood.example.org", f"http://localhost:{proxied}")
        file = tmp_path / "Caddyfile"
        file.write_text("{\n  admin off\n}\n" + text)
        command = [program, "run", "--adapter", "caddyfile", "--config", str(file)]
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        with subprocess.Popen(command, env=environment) as process:
            try:
                look(page, proxied, lambda: process.poll() is None)
                server.send(step(1, "happy", 0.9))
                page.wait_for("#heard", "now: happy 90 %")
            finally:
                process.terminate()
