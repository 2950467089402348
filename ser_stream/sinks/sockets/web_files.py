"""The files of the web monitor, as a browser is given them. Nothing else is read."""

from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
PAGE = "page.html"
HEADERS = {
    "Connection": "close",
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Scripts and styles of our own files only; text never becomes HTML or a script.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
}


class WebFile(NamedTuple):
    headers: Mapping[str, str]
    body: bytes


def load_files(package: str | None = None) -> dict[str, WebFile]:
    """All of them, by the path of their address; the page itself is at `/`.

    Args:
        package: whose folder `web` holds them; None for the monitor's.
    """
    found = {}
    for entry in files(package or __package__).joinpath("web").iterdir():
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if kind is None:
            continue
        body = entry.read_bytes()
        length = {"Content-Type": kind, "Content-Length": str(len(body))}
        path = "/" if entry.name == PAGE else f"/{entry.name}"
        found[path] = WebFile(HEADERS | length, body)
    return found
