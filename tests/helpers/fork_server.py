"""Processes that have loaded their libraries when they begin.

Most of what a process of the program costs is loading numpy and onnxruntime. The server
loads them once; each process is a fork of it, with arguments, environment, folder and
standard streams of its own, and ends as any Python process does.
"""

import atexit
import contextlib
import io
import json
import logging
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

LARGEST_REQUEST = 2**20
# No sounddevice: PortAudio looks for sound cards when it is loaded.
PRELOADED = (
    "ser_stream.pipeline.onnx_session",
    "soundfile",
    "soxr",
    "ser_stream.cli.all_commands",
    "ser_stream.commands.config",
    "ser_stream.commands.listen",
    "ser_stream.commands.model",
    "ser_stream.commands.recognize",
)


def run_forked(
    module: str,
    arguments: Sequence[str],
    stdin: bytes | None,
    timeout: float,
    environment: Mapping[str, str],
) -> "subprocess.CompletedProcess[bytes]":
    """Run `python -m MODULE ARGUMENTS` to its end, as subprocess.run does."""
    (in_, to_in), (from_out, out), (from_err, err), (from_ends, ends) = (
        os.pipe() for _ in range(4)
    )
    request = {"module": module, "arguments": list(arguments), "cwd": str(Path.cwd())}
    message = json.dumps(request | {"environment": dict(environment)}).encode()
    files = [in_, out, err, ends]
    socket.send_fds(_server(), [message], files)
    for file in files:
        os.close(file)
    with ThreadPoolExecutor(4) as pool:
        pool.submit(_write, to_in, stdin or b"")
        output, errors = pool.submit(_read, from_out), pool.submit(_read, from_err)
        with os.fdopen(from_ends, "r") as said:
            pid = int(said.readline())
            status = pool.submit(said.readline)
            try:
                code = int(status.result(timeout))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.CompletedProcess(command, code, output.result(), errors.result())


@cache
def _server() -> socket.socket:
    """Start it, once in each process of pytest; it ends when that does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_REQUEST)
    with its:
        subprocess.run(
            [sys.executable, "-m", __name__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            check=True,
        )
    atexit.register(ours.close)
    return ours


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def serve(connection: socket.socket) -> None:
    """Fork at each request; returns only where nobody is left to ask."""
    before = set(os.environ)
    for name in PRELOADED:
        import_module(name)
    from ser_stream.cli.app import app

    with contextlib.redirect_stdout(io.StringIO()):
        # The flags' library loads the half of itself when it is first used.
        app(["--version"], standalone_mode=False)
    # It set up the log, onto the standard error of this process.
    logging.getLogger().handlers.clear()
    preset = {key: os.environ[key] for key in set(os.environ) - before}
    while True:
        message, files, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 4)
        if not message:
            return
        if os.fork() == 0:
            connection.close()
            *streams, ends = files
            _report_end_of_fork(streams, ends)
            request = json.loads(message)
            request["environment"] = preset | request["environment"]
            _become(request, streams)
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _report_end_of_fork(streams: list[int], ends: int) -> None:
    """Return in a fork; wait for it, and tell its number and status."""
    pid = os.fork()
    if pid == 0:
        os.close(ends)
        return
    for file in (0, 1, 2, *streams):
        os.close(file)
    os.write(ends, f"{pid}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(ends, f"{code}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be `python -m MODULE ARGUMENTS`."""
    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    # As the interpreter opens them; they are closed when it ends.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv[1:] = request["arguments"]
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001  as the interpreter does
        sys.excepthook(*sys.exc_info())
        code = 1
    # As in a fork of multiprocessing: taking the libraries down would cost the most.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # Tests look at the children of their process: it is none of them.
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection)
