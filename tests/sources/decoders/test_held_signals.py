"""A signal that comes while it is held has its say afterwards, and once."""

import os
import signal
import threading
import time

import pytest

from ser_stream.sources.decoders.held_signals import held_signals


class CameError(Exception):
    """What the handler raises, as that of Ctrl-C does."""


def came(number: int, frame: object) -> None:
    raise CameError(signal.Signals(number).name)


def held(steps: list[str]) -> None:
    with held_signals(signal.SIGUSR1):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.1)
            steps.append("still within")
    steps.append("too far")


@pytest.mark.parametrize("others", [0, 2])
def test_a_signal_waits_whatever_other_threads_there_are(others: int) -> None:
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(others)]
    for thread in threads:
        thread.start()
    before = signal.signal(signal.SIGUSR1, came)
    steps: list[str] = []
    try:
        with pytest.raises(CameError, match="SIGUSR1"):
            held(steps)
        assert signal.getsignal(signal.SIGUSR1) is came
        assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGUSR1, before)
        over.set()
        for thread in threads:
            thread.join()
    assert steps == ["still within", "still within"]
