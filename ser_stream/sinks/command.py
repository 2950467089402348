"""`--on-emotion`: runs a command when an emotion begins, with its line on stdin."""

import contextlib
import logging
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

from ser_stream.errors import ConfigError
from ser_stream.log import Every
from ser_stream.protocol.messages import Message
from ser_stream.service.environment import surroundings
from ser_stream.sinks import Sink

_LOGGER = logging.getLogger(__name__)
TIMEOUT = 10.0
"""Seconds that a run may take; then it is killed, with all that it started."""
CLOSE_WAIT = 1.0
"""Seconds for a run to end by itself when the program ends."""
POLL = 0.05
"""Seconds; how often it is looked whether a run has ended."""
OUTPUT = 8192
"""Bytes of a run's output that are logged."""
SOURCE = "SER_STREAM_SOURCE"
"""The variable that tells a command which of several sources it is run for."""
_KEPT_BACK = {
    *("SER_STREAM_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"),
}
"""Variables that a command has no business with."""


def check_command(argv: Sequence[str] | None) -> None:
    """Whether there is such a command, or none is asked for.

    Raises:
        ConfigError: if not.
    """
    if argv is not None and (not argv or shutil.which(argv[0]) is None):
        name = argv[0] if argv else ""
        raise ConfigError(
            f"on_emotion: there is no command {name!r}; allowed: a program on PATH or "
            "the path of an executable file, then its arguments (no shell reads them)"
        )


class CommandSink(Sink):
    """Runs one command at a time, in a thread of its own.

    Not oftener than asked: of emotions that begin in between, the newest waits and the
    others are skipped. Of several sources, each has its own newest and its own pace.
    What the command does, or fails to do, disturbs nothing else.
    """

    def __init__(self, argv: Sequence[str] | None, every_s: float = 1.0) -> None:
        self._condition = threading.Condition()
        # By the name of the source, which is empty for the only one.
        self._waiting: dict[str, bytes] = {}
        self._next: dict[str, float] = {}
        self._closed = False
        self._deadline = float("inf")
        self._thread: threading.Thread | None = None
        self._failures = Every(10.0)
        self.runs = 0
        self.skipped = 0
        """Emotions for which none was, since a newer one came."""
        self.reconfigure(argv, every_s)

    @property
    def closed(self) -> bool:
        """A command is always ready for the next emotion; none is not."""
        return self._closed or self._argv is None

    def reconfigure(self, argv: Sequence[str] | None, every_s: float) -> None:
        """Run another command from now on, or none.

        Raises:
            ConfigError: if there is no such command; the old one stays.
        """
        check_command(argv)
        with self._condition:
            self._argv = None if argv is None else tuple(argv)
            self._every_s = every_s
            if argv is None:
                self._waiting.clear()

    def send(self, message: Message, /) -> None:
        """Take an emotion that begins; never waits."""
        if message.type != "emotion" or message.fields["phase"] != "start":
            return
        with self._condition:
            if self._argv is None or self._closed:
                return
            if message.source in self._waiting:
                self.skipped += 1
                _LOGGER.debug("on_emotion: one was skipped, %d so far", self.skipped)
            self._waiting[message.source] = message.line
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="on-emotion", daemon=True
                )
                self._thread.start()
            self._condition.notify()

    def stop_waiting(self) -> None:
        """Nothing: `close` waits a second, and no more."""

    def close(self) -> None:
        """Give a run that goes on a second, then kill it; what waits is not run."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._deadline = time.monotonic() + CLOSE_WAIT
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout=3 * CLOSE_WAIT)

    def _work(self) -> None:
        while (job := self._job()) is not None:
            argv, source, line = job
            try:
                self._run(argv, source, line)
            except OSError as error:
                self._warn(f"{argv[0]} cannot be started: {error.strerror}")

    def _job(self) -> tuple[tuple[str, ...], str, bytes] | None:
        with self._condition:
            while not self._closed:
                due = {name: self._next.get(name, 0.0) for name in self._waiting}
                source = min(due, key=due.__getitem__, default=None)
                if source is None or self._argv is None:
                    self._condition.wait()
                    continue
                left = due[source] - time.monotonic()
                if left <= 0:
                    self._next[source] = time.monotonic() + self._every_s
                    return self._argv, source, self._waiting.pop(source)
                self._condition.wait(left)
        return None

    def _run(self, argv: tuple[str, ...], source: str, line: bytes) -> None:
        environment = {k: v for k, v in surroundings().items() if k not in _KEPT_BACK}
        if source:
            environment[SOURCE] = source
        # A group of its own: to be killed whole, and out of the reach of Ctrl-C.
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            bufsize=0,
        ) as process:
            self.runs += 1
            assert process.stdin is not None
            # A line is shorter than any pipe is deep, so this does not wait.
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(line)
            ended, output = self._watch(process)
            if not ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        said = output.decode(errors="replace").strip()
        for text in said.splitlines():
            _LOGGER.debug("on_emotion: %s", text)
        if not ended and not self._closed:
            self._warn(f"{argv[0]} was killed, as it took more than {TIMEOUT:g} s")
        elif ended and process.returncode:
            code = process.returncode
            status = f"status {code}" if code > 0 else f"signal {-code}"
            last = f": {said.splitlines()[-1]}" if said else ""
            self._warn(f"{argv[0]} ended with {status}{last}")

    def _watch(self, process: "subprocess.Popen[bytes]") -> tuple[bool, bytes]:
        """Read what a run says until it ends or its time is over: ended, output.

        Not until its output ends: what it left running in the background may keep that
        open for ever, and is none of ours.
        """
        assert process.stdout is not None
        output, reading = b"", True
        # Not `select`, which knows no descriptor above 1023.
        readable = select.poll()
        readable.register(process.stdout, select.POLLIN)
        deadline = time.monotonic() + TIMEOUT
        while True:
            ended = process.poll() is not None
            if reading and readable.poll(0 if ended else POLL * 1000):
                data = os.read(process.stdout.fileno(), 4096)
                output = (output + data)[:OUTPUT]
                reading = bool(data)
            elif ended:
                return True, output
            elif not reading:
                time.sleep(POLL)
            if time.monotonic() > min(deadline, self._deadline):
                return ended, output

    def _warn(self, what: str) -> None:
        self._failures.log(_LOGGER, logging.WARNING, "on_emotion: %s", what)
