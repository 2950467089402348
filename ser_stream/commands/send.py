"""`ser-stream send`: audio to a `serve` elsewhere, its events to standard output."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ser_stream.client import SentStream, UnreachableError
from ser_stream.client import send as open_stream
from ser_stream.commands.output import write
from ser_stream.commands.subscribe import read_token, renderer
from ser_stream.errors import SerStreamError, SinkError
from ser_stream.pipeline.values import Chunk
from ser_stream.sources import InputConfig, Source, open_source

READ_S = 0.25
"""Seconds to wait for audio before looking whether it is still wanted."""


def send(
    config: InputConfig,
    uri: str,
    *,
    name: str,
    only: Sequence[str] | None,
    format: str,
    token_file: Path | None,
) -> None:
    """Send until the input ends, and print until the last event; or until a signal.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    token = read_token(token_file) if token_file else None
    render = renderer(format)
    with (
        open_stream(uri, encoding="f32", name=name, only=only, token=token) as stream,
        open_source(config) as source,
    ):
        failures: list[SerStreamError] = []
        sending = threading.Thread(
            target=_send_all, args=(source, stream, failures), daemon=True
        )
        sending.start()
        last = None
        for message in stream.events():
            write(render(message))
            last = message
        if failures:
            raise failures[0]
        if last is not None and last["type"] == "bye" and last["reason"] != "end":
            raise UnreachableError(f"{uri} ended the stream: {last['reason']}")


def _send_all(
    source: Source, stream: SentStream, failures: list[SerStreamError]
) -> None:
    try:
        while not source.ended:
            item = source.read(READ_S)
            # Of a microphone that is lost, what comes later follows without a gap.
            if isinstance(item, Chunk):
                stream.write(item.samples)
    except UnreachableError:
        pass  # whoever reads the events is told
    except SerStreamError as error:
        failures.append(error)
    finally:
        stream.end()
