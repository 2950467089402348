"""`ser-stream subscribe`: print what a running daemon says."""

import json
import logging
import select
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ser_stream.client import Message, Stream, connect
from ser_stream.commands.output import write
from ser_stream.errors import ConfigError, SinkError
from ser_stream.protocol.live_line import can_rewrite
from ser_stream.protocol.text import ERASE, TextRenderer


def subscribe(
    uri: str | None,
    *,
    only: Sequence[str] | None,
    source: Sequence[str] | None = None,
    format: str,
    reconnect: bool,
    token_file: Path | None,
    count: int | None,
    history: float | None = None,
) -> None:
    """Print messages until a signal, until the reader leaves, or the count is full.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    token = read_token(token_file) if token_file else None
    render = renderer(format)
    with connect(
        uri,
        only=only,
        source=source,
        token=token,
        reconnect=reconnect,
        history=history,
    ) as stream:
        _leave_with_the_reader(stream)
        left = count
        for message in stream:
            write(render(message))
            if left is not None and "seq" in message:
                left -= 1
                if not left:
                    break


def read_token(path: Path) -> str:
    """The token in a file, without the line's end.

    Raises:
        ConfigError: if the file cannot be read, or holds none.
    """
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read the token in {path}: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"the token in {path} is not text") from None
    if not token:
        raise ConfigError(f"there is no token in {path}: it is empty")
    return token


def renderer(format: str) -> Callable[[Message], str]:
    """What prints messages as `json`, as `text`, or as `auto` finds fit."""
    live = can_rewrite(sys.stdout)
    if format == "json" or (format == "auto" and not sys.stdout.isatty()):
        return _json_line
    if live:
        # What is logged must not hang on the prediction that is still on the line.
        logging.getLogger("ser_stream.client").addFilter(_erase)
    return TextRenderer(live=live).text


def _json_line(message: Message) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")) + "\n"


def _erase(_record: logging.LogRecord) -> bool:
    write(ERASE)
    return True


def _leave_with_the_reader(stream: Stream) -> None:
    """End the stream when the reader of our output has left, though no event comes."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told

    def watch() -> None:
        poll.poll()
        stream.close()

    threading.Thread(target=watch, name="reader", daemon=True).start()
