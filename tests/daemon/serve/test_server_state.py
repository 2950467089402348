"""How the server is, where no test may wait for it to go wrong."""

from types import SimpleNamespace

import pytest

from ser_stream.config.serve import ServeConfig
from ser_stream.daemon.serve import client_stream, occupation, server_state
from ser_stream.daemon.serve.client_stream import ClientStream
from ser_stream.daemon.serve.occupation import Occupation
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.daemon.serve.server_state import HUNG_S, ServerState
from ser_stream.daemon.serve.tally import Tally
from ser_stream.metrics.health import Health
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.protocol.address import parse
from ser_stream.sinks import SinkOptions
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.network.raw_samples import RawSamples


def test_a_thread_that_hangs_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = AudioServer(Model(load_bundle("open")), ServeConfig(), SinkOptions())
    state = ServerState(server, [], None)
    assert state.not_ready() == "it is starting"
    server.open([parse("tcp://127.0.0.1:0")])
    try:
        assert (state.hung(), state.not_ready()) == ("", "")
        later = server.seen + HUNG_S + 10
        monkeypatch.setattr(
            server_state, "time", SimpleNamespace(monotonic=lambda: later)
        )
        assert state.hung().startswith("thread sockets has hung for ")
        assert state.not_ready() == state.hung()
        assert state.status("tcp")["degraded"] is True
        monkeypatch.undo()
        assert state.hung() == ""
    finally:
        server.close()
    assert state.not_ready() == "it is ending"


def test_the_watchdog_is_fed_until_a_thread_has_hung(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = AudioServer(Model(load_bundle("open")), ServeConfig(), SinkOptions())
    state = ServerState(server, [], None)
    now, seen = [100.0], {"sockets": 100.0, "compute": 100.0}
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(server_state, "time", clock)
    monkeypatch.setattr(ServerState, "_seen", seen)
    try:
        fed = state.health().beats
        # To ask changes nothing.
        assert state.health().beats == fed
        now[0] += 0.2
        assert state.health().beats > fed
        now[0] = seen["sockets"] = 100 + HUNG_S + 1
        assert state.hung().startswith("thread compute")
        fed = state.health().beats
        now[0] += 10
        assert state.health().beats == fed
        seen["compute"] = now[0]
        assert state.health().beats > fed
    finally:
        server.close()


def test_the_share_of_the_last_minute_forgets_what_was_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(occupation, "time", SimpleNamespace(monotonic=lambda: now[0]))
    busy = Occupation()
    for second in range(1, 301):
        now[0] = second
        realtime, fast = (0.75, 0.125) if second <= 240 else (0.25, 0.5)
        busy.spent(realtime / 2, fast / 2, now[0] - 0.5)
        busy.spent(realtime / 2, fast / 2, now[0])
        if second == 240:
            assert busy.share() == pytest.approx((0.75, 0.125))
    assert busy.share() == pytest.approx((0.25, 0.5), abs=0.02)
    assert busy.realtime_s == pytest.approx(0.75 * 240 + 0.25 * 60)


def test_what_was_counted_outlasts_its_stream() -> None:
    tally = Tally()
    streams = [Health(steps=n, end=16_000 * n) for n in (1, 2, 4)]
    for stream in streams:
        tally.begun(stream)
    assert tally.sums().steps == 7
    tally.over(streams[1], "end")
    streams[1].steps = 100
    streams[2].steps = 5
    assert (tally.sums().steps, tally.sums().end) == (8, 16_000 * 7)
    assert (tally.opened, tally.ended) == (3, {"end": 1})


def test_only_audio_that_comes_as_it_is_spoken_can_be_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(client_stream, "time", clock)
    told: list[float] = []
    model = Model(load_bundle("open"))
    second = bytes(2 * 16_000)

    def stream() -> ClientStream:
        incoming = RawSamples(RawForm(), "tcp")
        return ClientStream(model, incoming, "tcp", observe=told.append)

    live, recording = stream(), stream()
    for one in (live, recording):
        one.incoming.put(second)
        one.take(0.5)
    now[0] += 2
    live.incoming.put(second)
    assert live.late(now[0])
    assert not live.hurries(now[0])
    live._observe_live(1.5)
    assert told == [1.5]
    now[0] -= 2
    recording.hurries(now[0])
    for _ in range(3):
        recording.incoming.put(second)
        recording.take(0.5)
        recording.take(0.5)
    assert recording.hurries(now[0])
    recording._observe_live(1.5)
    assert told == [1.5]
    assert not recording.late(now[0] + 60)
