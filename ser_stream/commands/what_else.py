"""What else there is, said once to whoever tries `listen` at a terminal."""

import sys
from collections.abc import Sequence

from ser_stream.protocol.address import Address, parse

PAGE = "ws://127.0.0.1:8765"
"""Where the page is served, in the example."""


def say_what_else(to: Sequence[str]) -> None:
    """One line on standard error; nothing where an output is no terminal.

    Args:
        to: where `listen` sent its events, as its flag has them.
    """
    if is_for_people():
        sys.stderr.write(what_else(to) + "\n")
        sys.stderr.flush()


def is_for_people() -> bool:
    """Whether both outputs are a terminal."""
    return all(
        stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr)
    )


def what_else(to: Sequence[str]) -> str:
    """The line: how to look at what `listen` served, or could have."""
    served = [parse(uri) for uri in to if not uri.startswith("stdout:")]
    page = next((address for address in served if address.kind == "ws"), None)
    if page is None:
        return (
            f"next: ser-stream listen --to {PAGE}, then ser-stream watch {PAGE}, "
            f"subscribe {PAGE}, or the page {_page(parse(PAGE))}"
        )
    return f"next: ser-stream watch {page}, subscribe {page}, or the page {_page(page)}"


def _page(address: Address) -> str:
    return f"{address}/".replace("ws://", "http://", 1)
