"""A request that comes while the daemon starts waits for it, and not for ever."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ser_stream.client import NotRunningError, RefusedError, control
from ser_stream.daemon.daemon import START_WAIT
from tests.helpers.program import COMMAND, ENVIRONMENT
from tests.helpers.socket_server import socket_folder, wait_until

ARGUMENTS = ("listen", "--input", "-", "--raw", "--pace", "realtime", "--to")


def answers(socket: Path) -> bool | None:
    """Whether a daemon answers, or says that it still starts; None without one."""
    try:
        answer = control("status", socket, timeout=60)
    except NotRunningError:
        return None
    except RefusedError as refusal:
        return False if "is still starting; try again" in str(refusal) else None
    assert answer["model"]["name"] == "open"
    return True


def test_a_request_waits_until_the_input_is_open(tmp_path: Path) -> None:
    with (
        socket_folder() as folder,
        subprocess.Popen(
            [*COMMAND, *ARGUMENTS, f"unix://{folder}/s"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**ENVIRONMENT, "XDG_STATE_HOME": str(tmp_path)},
        ) as process,
    ):
        assert process.stdin is not None
        # A socket file is there a moment before something listens on it. Whether the
        # input is WAV or raw samples, only its first bytes can tell.
        wait_until((folder / "s").exists, 120)
        answer, asked_at = None, 0.0
        while answer is None:
            asked_at, answer = time.monotonic(), answers(folder / "s")
        assert answer is False
        assert time.monotonic() - asked_at > 0.9 * START_WAIT
        with ThreadPoolExecutor() as pool:
            # The first of them waits; on a busy machine not for long enough.
            told = pool.submit(wait_until, lambda: answers(folder / "s"), 120)
            process.stdin.write(bytes(64_000))
            process.stdin.flush()
            told.result(120)
        process.stdin.close()
        assert process.wait(120) == 0
