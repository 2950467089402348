"""One round of learning in a child process: fed, watched, and ended come what may.

What the child is told and what it answers is in `ser_stream.adaptation.child`.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ser_stream.adaptation.pack import WEIGHTS, Pack
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.adaptation.settings import DEFAULT_SCOPE
from ser_stream.errors import SerStreamError
from ser_stream.pipeline.bundle import Bundle
from ser_stream.service.memory import resident_bytes

CHILD = (sys.executable, "-P", "-m", "ser_stream.adaptation.child")
"""`-P`: what happens to lie in the present folder is no module of ours."""
VERSION = 1
"""Version of the job's line."""
LIMIT_S = 1800.0
"""Longest round. It has the processor only when no other process wants it."""
POLL_S = 0.1
"""How soon a wish to stop is noticed."""
LOOK_S = 0.5
"""Between two looks at the child's memory."""
LONGEST_LINE = 1 << 20
"""Bytes; a longer line is no protocol."""
KEPT_OF_STDERR = 8192
"""Bytes, the last ones: the reason of a crash is at the end."""
LONGEST_TEXT = 500
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)


class RoundError(SerStreamError):
    """A round that came to nothing; everything is as it was before."""

    def __init__(self, text: str, kind: str) -> None:
        """With one readable line, and its kind for programs.

        That is `stopped`, `memory`, `time`, `killed`, `crashed`, `protocol`, or what
        the child called it, as `too_little`.
        """
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class RoundJob:
    bundle: Path
    """Folder of the version to begin from."""
    weights: Path
    """Its weights, as safetensors."""
    pack: Path
    out: Path
    """Empty folder for the bundle that comes out."""
    scope: str = DEFAULT_SCOPE
    seed: int = 0
    steps: int | None = None
    """None: as many as the child thinks right."""
    memory_mb: int = 700
    """Most resident memory of the child, megabytes."""

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        pack: Pack,
        out: Path,
        *,
        scope: str = DEFAULT_SCOPE,
        seed: int = 0,
        steps: int | None = None,
    ) -> "RoundJob":
        """From a version of the model: adapted ones bring their own weights."""
        home = bundle.folder if bundle.adapted else pack.folder
        return cls(bundle.folder, home / WEIGHTS, pack.folder, out, scope, seed, steps)

    @property
    def line(self) -> bytes:
        """The line of JSON that the child reads before the windows."""
        # The end of the parent is to be the child's.
        fields = {"version": VERSION, **asdict(self), "parent": os.getpid()}
        return json.dumps(fields, default=str).encode() + b"\n"


class RoundRunner:
    """Runs rounds, one child process each, one at a time."""

    def __init__(
        self, command: Sequence[str] = CHILD, limit_s: float = LIMIT_S
    ) -> None:
        self._command = tuple(command)
        self._limit_s = limit_s

    def run(
        self,
        job: RoundJob,
        reservoir: Reservoir,
        on_progress: Callable[[float], None] = lambda share: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Learn from the windows in `reservoir`; the new bundle is in `job.out` then.

        The child asks the system to be killed when the *thread* that started it ends;
        that thread stays in here until the child is gone.

        The reservoir may go on changing meanwhile. `on_progress` is called with the
        share that is done, 0 to 1, and `stopped` ten times a second: True ends the
        round.

        Returns:
            Evidence for `acceptance.verdict`.

        Raises:
            RoundError: if it was stopped, or the child failed, died, or took more time
                or memory than allowed; no process of it is left then.
        """
        with _in_memory(job, reservoir) as windows:
            try:
                child = subprocess.Popen(
                    self._command,
                    stdin=windows,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, **_ONE_THREAD},
                    # A group of its own: to be killed whole, out of reach of Ctrl-C.
                    start_new_session=True,
                    bufsize=0,
                )
            except OSError as error:
                raise RoundError(
                    f"the worker cannot be started: {error.strerror}", "crashed"
                ) from None
        with child:
            try:
                said = self._listen(child, job.memory_mb, on_progress, stopped)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
        return said.evidence(child.returncode)

    def _listen(
        self,
        child: "subprocess.Popen[bytes]",
        memory_mb: int,
        on_progress: Callable[[float], None],
        stopped: Callable[[], bool],
    ) -> "_Said":
        said = _Said(child, on_progress)
        begun = look = time.monotonic()
        while True:
            said.wait()
            # Polled before reading: what a dead child wrote is then all there to read.
            ended = child.poll() is not None
            said.read()
            if ended:
                return said
            if stopped():
                raise RoundError("the round was stopped", "stopped")
            now = time.monotonic()
            if now - begun > self._limit_s:
                raise RoundError(
                    f"the worker was killed, as it took more than {self._limit_s:g} s; "
                    "the machine has little time to spare",
                    "time",
                )
            if now >= look:
                look = now + LOOK_S
                taken = resident_bytes(child.pid) / 1e6
                if taken > memory_mb:
                    raise RoundError(
                        f"the worker was killed, as it took {taken:.0f} MB of memory; "
                        f"allowed: {memory_mb} MB",
                        "memory",
                    )


class _Said:
    """What a child writes to its two outputs."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", on_progress: Callable[[float], None]
    ) -> None:
        assert child.stdout is not None
        assert child.stderr is not None
        self._on_progress = on_progress
        self._line = b""
        self._complaint = b""
        self._answer: dict[str, Any] = {}
        self._sinks = {
            child.stdout.fileno(): self._take,
            child.stderr.fileno(): self._complain,
        }
        # Not `select`, which knows no descriptor above 1023.
        self._readable = select.poll()
        for fd in self._sinks:
            os.set_blocking(fd, False)
            self._readable.register(fd, select.POLLIN)

    def wait(self) -> None:
        """Until there is something to read, or a moment."""
        self._readable.poll(POLL_S * 1000)

    def read(self) -> None:
        """Take what is there; more than a pipe holds, but not without end."""
        for fd, take in list(self._sinks.items()):
            with contextlib.suppress(BlockingIOError):
                for _ in range(32):
                    data = os.read(fd, 1 << 16)
                    if data:
                        take(data)
                        continue
                    # Its end. Polled again, it would be readable without any wait.
                    self._readable.unregister(fd)
                    del self._sinks[fd]
                    break

    def _complain(self, data: bytes) -> None:
        self._complaint = (self._complaint + data)[-KEPT_OF_STDERR:]

    def _take(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > LONGEST_LINE:
            raise _nonsense("a line without end")
        for line in lines:
            self._message(line)

    def _message(self, line: bytes) -> None:
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise _nonsense(line.decode(errors="replace")[:80])
        progress = fields.get("progress")
        if isinstance(progress, int | float):
            self._on_progress(min(1.0, max(0.0, float(progress))))
        if "evidence" in fields or "error" in fields:
            self._answer = fields

    def evidence(self, status: int) -> dict[str, Any]:
        """The answer of a child that has ended.

        Raises:
            RoundError: if it failed, or gave none.
        """
        if status < 0:
            raise RoundError(f"the worker was killed (signal {-status})", "killed")
        if "error" in self._answer:
            text = " ".join(str(self._answer["error"]).split())
            raise RoundError(
                text[:LONGEST_TEXT], str(self._answer.get("kind", "crashed"))
            )
        if status:
            said = self._complaint.decode(errors="replace").strip().splitlines()
            last = f": {said[-1][:LONGEST_TEXT]}" if said else ""
            raise RoundError(f"the worker ended with status {status}{last}", "crashed")
        evidence = self._answer.get("evidence")
        if not isinstance(evidence, dict):
            raise _nonsense("no evidence")
        return evidence


def _nonsense(what: str) -> RoundError:
    return RoundError(f"the worker does not keep to the protocol: {what}", "protocol")


@contextlib.contextmanager
def _in_memory(job: RoundJob, reservoir: Reservoir) -> Iterator[BinaryIO]:
    """A file with job and speech that is on no disk, and never has to be waited for."""
    with open(os.memfd_create("windows"), "w+b") as file:  # noqa: PTH123  no path
        file.write(job.line)
        reservoir.write(file)
        file.seek(0)
        yield file
