"""Runs programs of the system, which may be missing, slow or talkative."""

import os
import shutil
import subprocess

TIMEOUT_S = 5.0


def ask(*command: str) -> str | None:
    """What a program answers, without its translations; None if it does not.

    It does not when it is not installed, takes too long, or ends with a status but 0.
    """
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode(errors="replace").strip()
