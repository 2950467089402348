"""The load generator, as the parts start it: a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Self

READY_S = 120.0
"""Seconds for all to have come."""


class LoadGenerator:
    """Subscribers of several kinds; a context manager that sends them away."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        healthy: int = 0,
        deaf: int = 0,
        slow: int = 0,
        reconnecting: int = 0,
        stay_s: float = 1.0,
        timed: bool = False,
        seed: int = 0,
    ) -> None:
        """Let them come; returns when the daemon has answered all healthy ones.

        Args:
            addresses: of the daemon; taken in turn.
            healthy: subscribers that read and check all.
            deaf: that never read.
            slow: that read a line a second.
            reconnecting: that come, stay for a random time, and go again, for ever.
            stay_s: how long on average, seconds.
            timed: whether to take the times of lines; only where audio is paced.
            seed: of that chance.
        """
        spec = {
            "addresses": list(addresses),
            "healthy": healthy,
            "deaf": deaf,
            "slow": slow,
            "fickle": reconnecting,
            "stay_s": stay_s,
            "timed": timed,
            "seed": seed,
        }
        command = [sys.executable, "-m", "benchmarks.soak.load_process"]
        self._process = subprocess.Popen(
            [*command, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the subscribers have died; see standard error")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> dict[str, Any]:
        """Send them away when all have the newest event; what they found."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        result = self._read()
        self._process.wait(READY_S)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.terminate()
        self._process.wait()
