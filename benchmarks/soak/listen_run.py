"""A `ser-stream listen` on a microphone: what it says of it, and how its clock goes."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.soak.recording_client import RecordingClient
from tests.helpers.running_daemon import RunningDaemon, running_daemon

_PROGRAM = """
import sys
from ser_stream.sources import dead_signal
dead_signal.ZEROS_S = float(sys.argv.pop(1))
from ser_stream.cli import main_and_exit
main_and_exit()
"""
"""The real one, which reopens a microphone that delivers zeros sooner."""


class AudioStatus(NamedTuple):
    at: float
    """`time.monotonic` when it came."""
    state: str


class ListenRun:
    """A daemon and its subscriber.

    Its clock is judged by where predictions end: sample and moment have to agree.
    """

    def __init__(self, daemon: RunningDaemon, client: RecordingClient) -> None:
        self.daemon = daemon
        self._client = client
        self._next = 0
        self._zero = 0.0
        self._zero = self.clock_error(10)

    def statuses(self, last: str, wait: float) -> list[AudioStatus]:
        """What is said of the audio, up to the first `last`, or for `wait` seconds."""
        deadline = time.monotonic() + wait
        found: list[AudioStatus] = []
        while not found or found[-1].state != last:
            number = self._client.find(
                lambda m: m["type"] == "status" and m["what"] == "audio",
                self._next,
                deadline - time.monotonic(),
            )
            if number is None:
                break
            self._next = number + 1
            state = self._client.messages[number]["state"]
            found.append(AudioStatus(self._client.times[number], state))
        return found

    def clock_error(self, n: int = 3) -> float:
        """Seconds by which the next n predictions come late, measured by the earliest.

        Against the first ones; negative where samples are counted that never were.
        """
        delays, after = [], len(self._client.messages)
        for _ in range(n):
            number = self._client.find(lambda m: m["type"] == "prediction", after)
            assert number is not None, self.daemon.log.read_text()
            end_ms = float(self._client.messages[number]["end_ms"])
            delays.append(self._client.times[number] - end_ms / 1000)
            after = number + 1
        return min(delays) - self._zero


@contextmanager
def listen_run(
    source: str, environment: Mapping[str, str], zeros_s: float
) -> Iterator[ListenRun]:
    """Start it; after `zeros_s` of zeros the program acts."""
    program = [sys.executable, "-c", _PROGRAM, str(zeros_s)]
    with (
        running_daemon(
            source=source, environment=environment, program=program
        ) as daemon,
        RecordingClient(daemon.addresses[0]) as client,
    ):
        yield ListenRun(daemon, client)


def states(statuses: list[AudioStatus]) -> list[str]:
    return [status.state for status in statuses]
