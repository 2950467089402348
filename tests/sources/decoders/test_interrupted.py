"""Signals and failing disks while a library calls back for more bytes."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.errors import SourceError
from ser_stream.sources.decoders.byte_stream import READ_SIZE, ByteStream
from ser_stream.sources.decoders.flac import FlacDecoder
from tests.helpers.paths import DATA
from tests.helpers.socket_server import wait_until

MINUTE = DATA / "emodb_minute.flac"
AT_ONCE = 16_000


class Stopped(BaseException):
    """What a program's handler may raise."""


@pytest.fixture
def handler() -> Iterator[None]:
    def leave(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, leave)
    yield
    signal.signal(signal.SIGUSR1, before)


class Interrupted(ByteStream):
    """A real file; at the third reading a signal comes."""

    readings = 0

    def _read_more(self, n: int) -> bytes:
        self.readings += 1
        if self.readings == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
        return super()._read_more(n)


def open_file(kind: type[ByteStream], path: Path) -> ByteStream:
    return kind(os.open(path, os.O_RDONLY), path.name, path)


def read_all(decoder: FlacDecoder) -> None:
    while len(decoder.read(AT_ONCE)):
        pass


@pytest.mark.usefixtures("handler")
def test_a_signal_that_comes_while_bytes_are_read_is_not_lost() -> None:
    threads = threading.active_count()
    decoder = FlacDecoder(open_file(Interrupted, MINUTE))
    with pytest.raises(Stopped):
        read_all(decoder)
    decoder.close()
    wait_until(lambda: threading.active_count() == threads)


@pytest.mark.usefixtures("handler")
def test_a_signal_while_a_recording_is_opened_leaves_nothing_open() -> None:
    threads, stream = threading.active_count(), open_file(Interrupted, MINUTE)
    assert isinstance(stream, Interrupted)
    stream.readings = 2
    with pytest.raises(Stopped):
        FlacDecoder(stream)
    wait_until(lambda: threading.active_count() == threads)
    stream.close()


def test_a_recording_that_nobody_closes_takes_its_thread_along() -> None:
    threads = threading.active_count()
    decoder = FlacDecoder(open_file(ByteStream, MINUTE))
    assert len(decoder.read(AT_ONCE))
    assert threading.active_count() == threads + 1
    del decoder
    gc.collect()
    wait_until(lambda: threading.active_count() == threads)


def test_bytes_that_cannot_be_read_are_no_end_of_the_recording(tmp_path: Path) -> None:
    assert MINUTE.stat().st_size > 4 * READ_SIZE
    stream = open_file(ByteStream, MINUTE)
    decoder = FlacDecoder(stream)
    assert len(decoder.read(AT_ONCE)) == AT_ONCE
    # A folder can be opened, and not be read.
    folder = os.open(tmp_path, os.O_RDONLY)
    os.dup2(folder, stream.fd)
    os.close(folder)
    with pytest.raises(SourceError, match=r"emodb_minute\.flac cannot be read: Is a d"):
        read_all(decoder)
    decoder.close()
