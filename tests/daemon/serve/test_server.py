"""The server's end, while something is still computed."""

import threading
import time

import numpy as np

from ser_stream.client import send
from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.protocol.address import parse
from ser_stream.sinks import SinkOptions
from tests.helpers.socket_server import wait_until


def test_what_is_computed_when_the_last_has_vanished_is_dropped() -> None:
    server = AudioServer(Model(load_bundle("open")), ServeConfig(), SinkOptions())
    computing = threading.Event()

    def outlast(_latency: float) -> None:
        computing.set()
        for thread in threading.enumerate():
            if thread.name == "sockets":
                thread.join(60)
        time.sleep(0.2)  # what is delivered then comes to a loop that is closed

    server.senders.observe = outlast
    server.open([parse("ws://127.0.0.1:0")])
    try:
        with send(str(server.addresses[0])) as stream:
            stream.write(np.zeros(16_000, np.int16))
            assert computing.wait(60)
        wait_until(lambda: not server.senders.open)
    finally:
        # An error in the computing thread makes the test fail.
        server.close()
