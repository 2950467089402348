"""What an HTTP server for Prometheus says."""

import urllib.error
import urllib.request
from typing import NamedTuple


class Page(NamedTuple):
    status: int
    text: str


def page(port: int, path: str = "/metrics") -> Page:
    """A page of this machine, whatever its status."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}{path}", timeout=60
        ) as got:
            return Page(got.status, got.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Page(error.code, error.read().decode())


def figures(port: int) -> dict[str, float]:
    """All samples, by their names and labels as they are written."""
    lines = page(port).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}
