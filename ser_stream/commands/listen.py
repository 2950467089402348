"""`ser-stream listen`: put the parts together, and end in order."""

import sys

from ser_stream.config import Settings
from ser_stream.config.listen import STDOUT
from ser_stream.daemon.daemon import Daemon
from ser_stream.errors import SinkError
from ser_stream.protocol.text import TextRenderer
from ser_stream.sinks.stdout import Renderer, json_line


def listen(settings: Settings) -> None:
    """Run until the input ends, a signal comes, or the reader leaves.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    if sys.stdout is None and STDOUT in settings.config.to:
        raise SinkError("standard output is closed")
    with Daemon(settings, _renderer(settings.config.format)) as daemon:
        daemon.run()


def _renderer(format: str) -> Renderer:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    if format == "text" or (format == "auto" and terminal):
        return TextRenderer(live=terminal)
    return json_line
