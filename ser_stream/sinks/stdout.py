"""Standard output: JSON lines, or readable text.

Live audio must not wait for the reader of stdout: a thread writes from a bounded queue
(`thread_queue`). At fast pace the pipeline simply waits for the reader.
"""

import logging
import math
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Sequence

from ser_stream.errors import SinkError
from ser_stream.protocol.address import Address
from ser_stream.protocol.live_line import can_rewrite
from ser_stream.protocol.messages import Message
from ser_stream.protocol.text import TextRenderer
from ser_stream.sinks import Sink, SinkOptions
from ser_stream.sinks.thread_queue import ThreadQueue

_LOGGER = logging.getLogger(__name__)
CLOSE_WAIT = 5.0
"""Seconds for a reader to take what is left when the program ends."""
POLL = 0.25
"""Seconds; how often a writer that waits looks whether it should stop."""


Renderer = Callable[[Message], bytes]
"""Message -> what is written for it; empty for nothing."""


def open_sink(_addresses: Sequence[Address], options: SinkOptions) -> "StdoutSink":
    """Standard output, as JSON lines or text.

    Raises:
        SinkError: if there is none.
    """
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    terminal = sys.stdout.isatty()
    text = options.format == "text" or (options.format == "auto" and terminal)
    live = can_rewrite(sys.stdout)
    render = TextRenderer(live=live, advise=terminal) if text else json_line
    return StdoutSink(render, live=options.live, alone=options.alone)


def json_line(message: Message, /) -> bytes:
    return message.line


class StdoutSink(Sink):
    """Writes rendered messages to a file descriptor."""

    def __init__(
        self,
        render: Renderer = json_line,
        *,
        live: bool = True,
        alone: bool = True,
        fd: int = 1,
    ) -> None:
        """Begin.

        Args:
            render: what is written for a message.
            live: whether nothing may wait for the reader; then a thread writes.
            alone: False where the program goes on without it; then the log says why
                nothing is written any more, instead of `error`.
            fd: the descriptor.
        """
        self._alone = alone
        self._render = render
        self._fd = fd
        self._broken = False
        self._deadline = math.inf
        self._queue = ThreadQueue() if live else None
        self._thread: threading.Thread | None = None
        if self._queue is not None:
            self._thread = threading.Thread(
                target=self._drain, name="stdout", daemon=True
            )
            self._thread.start()

    @property
    def closed(self) -> bool:
        """True when the reader has gone, as `| head` does."""
        gave_up = self._queue is not None and self._queue.given_up
        return self._broken or gave_up

    def send(self, message: Message, /) -> None:
        if self._queue is not None:
            self._queue.put(message)
        else:
            self._write(message)

    def close(self) -> None:
        """Give the reader up to 5 s for what is still queued."""
        if self._queue is not None and self._thread is not None:
            self._queue.close()
            self._thread.join(timeout=CLOSE_WAIT)

    def _drain(self) -> None:
        assert self._queue is not None
        while (message := self._queue.get()) is not None:
            self._write(message)

    def stop_waiting(self) -> None:
        """A stop was asked for: give a reader that does not read 5 s, no more."""
        self._deadline = time.monotonic() + CLOSE_WAIT

    def _write(self, message: Message) -> None:
        data = self._render(message)
        while data and not self._broken:
            try:
                # Not one blocking write: it could not be interrupted by a stop.
                if select.select([], [self._fd], [], POLL)[1]:
                    data = data[os.write(self._fd, data[: select.PIPE_BUF]) :]
                elif time.monotonic() > self._deadline:
                    self._broken = True
            except BrokenPipeError:
                self._broken = True
                if not self._alone:
                    _LOGGER.warning(
                        "standard output: its reader has left, so no more events go "
                        "there"
                    )
            except OSError as error:
                self._broken = True
                text = f"standard output: {error.strerror}"
                if self._alone:
                    self.error = SinkError(text)
                else:
                    _LOGGER.warning("%s", text)
