"""The computing thread: what fails in one stream is that stream's alone."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.compute_loop import ComputeLoop, Told
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.network.raw_samples import RawSamples


@pytest.mark.parametrize("where", ["absorb", "take", "flush", "heard"])
def test_a_stream_that_fails_ends_and_the_others_do_not(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> bool:
        raise ValueError("broken")

    model = Model(load_bundle("open"))
    names = ("a", "wrong", "c")
    streams = [ClientStream(model, RawSamples(RawForm(), n), n) for n in names]
    parts = {"take": streams[1].incoming, "heard": streams[1]}
    monkeypatch.setattr(parts.get(where, streams[1].pipeline), where, fail)
    told: list[Told] = []
    over = threading.Semaphore(0)

    def deliver(some: Sequence[Told]) -> None:
        told.extend(some)
        for one in some:
            if one.over:
                over.release()

    loop = ComputeLoop(deliver)
    for stream in streams:
        stream.incoming.put(np.zeros(16_000, np.int16).tobytes())
        stream.incoming.end()
        loop.wake(stream)
    loop.start()
    try:
        for _ in streams:
            assert over.acquire(timeout=60)
    finally:
        loop.stop()
    assert {one.stream for one in told if one.failed} == {streams[1]}
    for stream in (streams[0], streams[2]):
        steps = [m for one in told if one.stream is stream for m in one.messages]
        assert [m.fields["end_ms"] for m in steps if m.type == "prediction"] == [
            512.5,
            712.5,
            912.5,
        ]
    assert "wrong: computing failed" in caplog.text
