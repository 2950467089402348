"""The log, on standard error: text, JSON lines, or what journald understands.

Nothing that happens to standard error may stop or slow the daemon: a full disk, a
closed descriptor, a pipe without a reader. What cannot be written is left out,
counted, and told when there is room again.
"""

import contextlib
import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

STDERR = 2
LONGEST_WAIT_S = 0.05
"""Seconds that the rest of a long message may wait for a slow reader."""
PRIORITIES: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
"""Priorities of syslog, which journald reads from `<6>` at the start of a line."""
_ORDINARY = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class TextFormatter(logging.Formatter):
    """For terminals: `ser-stream: info: message`."""

    def format(self, record: logging.LogRecord) -> str:
        return f"ser-stream: {record.levelname.lower()}: {super().format(record)}"


class JournalFormatter(logging.Formatter):
    """For journald, which adds name and time: each line begins with its priority."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{PRIORITIES.get(record.levelname, 6)}>"
        lines = super().format(record).splitlines() or [""]
        return "\n".join(prefix + line for line in lines)


class JsonFormatter(logging.Formatter):
    """For machines: one object a line, with what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        for name, value in record.__dict__.items():
            if name not in _ORDINARY:
                fields.setdefault(name, value)
        return json.dumps(fields, ensure_ascii=False, default=str)


class StderrHandler(logging.Handler):
    """Writes to the descriptor itself, and never raises, nor waits for long."""

    def __init__(self, fd: int = STDERR) -> None:
        super().__init__()
        self._fd = fd
        self._lost = 0
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001  the mistake is the caller's
            text = self._own("ERROR", f"a log message cannot be made: {error!r}")
        if self._lost:
            lost = self._own("WARNING", f"{self._lost} messages could not be logged")
            self._lost = 0 if self._write(lost) else self._lost
        if self._lost or not self._write(text):
            self._lost += 1

    def close(self) -> None:
        if self._fd != STDERR:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        super().close()

    def _own(self, level: str, message: str) -> str:
        fields = {"name": __name__, "levelname": level, "msg": message}
        return self.format(logging.makeLogRecord(fields))

    def _write(self, text: str) -> bool:
        data = text.encode(errors="backslashreplace") + b"\n"
        # A line that was cut short must not run into the next.
        data = b"\n" + data if self._torn else data
        whole, wait_s = len(data), 0.0
        try:
            while data:
                # A pipe with room takes so much without waiting.
                if not select.select([], [self._fd], [], wait_s)[1]:
                    break
                data = data[os.write(self._fd, data[: select.PIPE_BUF]) :]
                wait_s = LONGEST_WAIT_S
        except (OSError, ValueError):
            pass
        self._torn = (self._torn and len(data) == whole) or 0 < len(data) < whole
        return not data


def setup(level: str = "info", format: str = "auto") -> None:
    """Log to standard error from now on; may be called again.

    Args:
        level: debug, info, warning or error; what is less is left out.
        format: text, json, or auto, which is text with journald's priorities where
            standard error goes to it.
    """
    if sys.stderr is None:
        _occupy_stderr()
    # A descriptor of our own: 2 is moved away while PortAudio is kept from chattering.
    handler = StderrHandler(os.dup(STDERR))
    handler.setFormatter(_formatter(format))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, StderrHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Whatever other handlers there are: no traceback of the log itself.
    logging.raiseExceptions = False


def report(message: str) -> None:
    """Log an error that ends the program, in the format that was set up."""
    root = logging.getLogger()
    if not any(isinstance(handler, StderrHandler) for handler in root.handlers):
        setup()
    logging.getLogger("ser_stream").error("%s", message)


class Every:
    """Lets one message through in so many seconds, and counts what it leaves out."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = -float("inf")
        self._left_out = 0

    def log(
        self, logger: logging.Logger, level: int, message: str, *values: object
    ) -> None:
        """Log a message now, or leave it out; the next one says how many were."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        self._next = now + self._seconds
        extra = None
        if left_out:
            extra = {"left_out": left_out}
            message += " (%d more like it in the meantime)"
            values = (*values, left_out)
        logger.log(level, message, *values, extra=extra)


def _formatter(format: str) -> logging.Formatter:
    if format == "json":
        return JsonFormatter()
    if format == "auto" and _goes_to_journald():
        return JournalFormatter()
    return TextFormatter()


def _goes_to_journald() -> bool:
    """Whether standard error is the very stream that systemd connected; sd-journal(3).

    A child that sends its errors elsewhere has the variable too.
    """
    try:
        status = os.fstat(STDERR)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _occupy_stderr() -> None:
    """Where standard error was closed, keep its number from the next file opened."""
    try:
        os.fstat(STDERR)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != STDERR:
            os.dup2(null, STDERR)
            os.close(null)
