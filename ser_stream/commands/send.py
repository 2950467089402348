"""`ser-stream send`: audio to a `serve` elsewhere, its events to standard output."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ser_stream.client import SentStream, UnreachableError
from ser_stream.client import send as open_stream
from ser_stream.commands.output import write
from ser_stream.commands.subscribe import read_token, renderer
from ser_stream.errors import QuietEndError, SerStreamError, SinkError
from ser_stream.pipeline.values import Chunk
from ser_stream.sources import InputConfig, Source, damage_of, open_source

_LOGGER = logging.getLogger(__name__)
READ_S = 0.25
"""Seconds to wait for audio before looking whether it is still wanted."""
LAST_WORDS_S = 5.0
"""Seconds after a signal for the end of a running emotion, and `bye`, to come."""


def send(
    config: InputConfig,
    uri: str,
    *,
    name: str,
    only: Sequence[str] | None,
    format: str,
    token_file: Path | None,
) -> bool:
    """Send until the input ends, or a signal comes, and print until the last event.

    Returns:
        Whether all of the input was heard; what was not, the log has told.

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
        _stop_of_signals() as stop,
    ):
        failures: list[SerStreamError] = []
        sending = threading.Thread(
            target=_send_all, args=(source, stream, stop, failures), daemon=True
        )
        sending.start()
        reason = "end"
        try:
            for message in stream.events():
                write(render(message))
                if message["type"] == "bye":
                    reason = message["reason"]
        except UnreachableError:
            # The same Ctrl-C may have ended the daemon as well.
            if not stop.is_set():
                raise
        if failures:
            raise failures[0]
        if reason != "end" and not stop.is_set():
            raise UnreachableError(f"{uri} ended the stream: {reason}")
        return damage_of(source) is None


@contextmanager
def _stop_of_signals() -> Iterator[threading.Event]:
    """Set by the first signal; a second ends the program at once.

    So does the time for what is still to be told, and the log then says so: the daemon
    may be slow, or nobody read standard output.
    """
    stop = threading.Event()

    def leave(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise QuietEndError(number)
        stop.set()
        signal.setitimer(signal.ITIMER_REAL, LAST_WORDS_S)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield stop
    except QuietEndError as end:
        if end.signal == signal.SIGALRM:
            _LOGGER.warning("left before the end of the stream was told")
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _send_all(
    source: Source,
    stream: SentStream,
    stop: threading.Event,
    failures: list[SerStreamError],
) -> None:
    try:
        while not (source.ended or stop.is_set()):
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
