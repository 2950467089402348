"""When samples came that had to wait: each chunk says it of its own last sample."""

from types import SimpleNamespace

import pytest

from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.network import raw_samples
from ser_stream.sources.network.arrivals import COARSE_S, Arrivals
from ser_stream.sources.network.raw_samples import RawSamples


def test_what_is_taken_came_when_its_last_byte_did() -> None:
    arrivals = Arrivals()
    for number in range(4):
        arrivals.came(100, 10.0 + number)
    assert [arrivals.taken(n) for n in (1, 99, 1, 199, 100)] == [10, 10, 11, 12, 13]
    assert arrivals.taken(0) == 13
    arrivals.came(5, 20.0)
    assert arrivals.taken(5) == 20


def test_bytes_one_by_one_are_noted_together() -> None:
    arrivals = Arrivals()
    for number in range(1000):
        arrivals.came(1, number * COARSE_S / 100)
    assert len(arrivals._pieces) <= 11
    for number in range(1000):
        came = number * COARSE_S / 100
        assert came <= arrivals.taken(1) <= came + COARSE_S


def test_of_audio_that_waited_each_part_says_how_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(raw_samples, "time", clock)
    incoming = RawSamples(RawForm(), "tcp")
    for _ in range(15):  # a second and a half, as it is spoken
        incoming.put(bytes(3200))
        now[0] += 0.1
    arrived = [chunk.arrived for _ in range(3) for chunk in incoming.take(0.5)]
    assert arrived == pytest.approx([100.4, 100.9, 101.4])
