"""A request that comes while the daemon starts waits for it, and not for ever."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ser_stream.client import RefusedError, control
from tests.helpers.program import COMMAND, ENVIRONMENT
from tests.helpers.socket_server import socket_folder, wait_until

ARGUMENTS = ("listen", "--input", "-", "--pace", "realtime", "--to")


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
        wait_until((folder / "s").exists, 30)
        # Whether that is WAV or raw samples, only the first bytes can tell.
        with pytest.raises(RefusedError, match="is still starting; try again"):
            control("status", folder / "s", timeout=30)
        with ThreadPoolExecutor() as pool:
            asked = pool.submit(control, "status", folder / "s", 30)
            process.stdin.write(bytes(64_000))
            process.stdin.flush()
            assert asked.result(30)["model"]["name"] == "open"
        process.stdin.close()
        assert process.wait(30) == 0
