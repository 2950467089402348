"""Many sources: taken together, held back or skipped, and ended each by itself."""

import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pytest

from ser_stream.daemon.announcer import Announcer
from ser_stream.daemon.feed import Feed
from ser_stream.daemon.inbox import HELD, Inbox
from ser_stream.daemon.stream import Stream
from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SourceError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.computation import Work
from ser_stream.pipeline.values import (
    AudioInfo,
    AudioState,
    Chunk,
    Condition,
    FloatArray,
    StreamEvent,
)
from ser_stream.sources import Source
from tests.helpers.collecting_sink import Collected
from tests.helpers.protocol_schema import validate
from tests.helpers.scripted_device import ScriptedDevice
from tests.helpers.socket_server import wait_until

SECOND = 16_000


class ScriptedFile:
    """A recording that can be read as fast as anybody likes."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self.info = AudioInfo("file", "scripted.wav", SECOND)
        self.live = self.ended = False
        self.reads = 0

    def read(self, timeout: float, /) -> Chunk | None:
        chunk = next(self._chunks, None)
        self.ended = chunk is None
        self.reads += not self.ended
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...


def pieces(samples: FloatArray, size: int = 3200) -> Iterator[Chunk]:
    for k in range(0, len(samples), size):
        yield Chunk(k, samples[k : k + size], time.monotonic())


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(load_bundle("open"))


def fed(
    model: Model, sink: Collected, source: Source, name: str, *channels: str
) -> Feed:
    streams = tuple(
        Stream(each, model, Announcer(source, [sink], name=each))
        for each in channels or (name,)
    )
    return Feed(name, source, streams)


def told_of(sink: Collected, name: str) -> list[dict[str, Any]]:
    return [m for m in sink.messages if m.get("source") == name]


def steps(messages: list[dict[str, Any]]) -> list[Any]:
    return [
        (m["end_ms"], m["label"], m["scores"])
        for m in messages
        if m["type"] == "prediction"
    ]


def test_each_hears_what_it_would_alone_and_ends_by_itself(
    model: Model, clips: dict[str, FloatArray]
) -> None:
    def broken() -> Iterator[Chunk]:
        yield from pieces(clips["08a04Ff"][:20_000])
        raise SourceError("broken.wav breaks off")

    sink = Collected()
    both = np.stack([clips["03a01Wa"], clips["03a01Wa"][::-1]], axis=1)
    worker = Worker(
        [
            fed(model, sink, ScriptedFile(pieces(both)), "call", "call.1", "call.2"),
            fed(model, sink, ScriptedFile(broken()), "broken"),
            fed(model, sink, ScriptedFile(iter(())), "empty"),
        ]
    )
    worker.run()
    assert [validate(m)["type"] for m in sink.messages][-1] == "bye"
    assert len(sink.of("bye")) == 1
    for name, samples in (("call.1", both[:, 0]), ("call.2", both[:, 1])):
        alone = Collected()
        Worker([fed(model, alone, ScriptedFile(pieces(samples.copy())), "alone")]).run()
        told = told_of(sink, name)
        assert steps(told) == steps(told_of(alone, "alone")) != []
        assert [m["type"] for m in told[:2]] == ["hello", "snapshot"]
        numbers = [m["seq"] for m in told if "seq" in m]
        assert numbers == list(range(1, len(numbers) + 1))
        assert told[-1]["state"] == "ended"
    said = [(m["state"], m["detail"]) for m in told_of(sink, "broken")[-2:]]
    assert said == [(s, "broken.wav breaks off") for s in ("failed", "ended")]
    streams = {m["stream"] for m in sink.of("hello")}
    assert len(streams) == 4
    health = {stream.name: stream.health for stream in worker.streams}
    assert [bool(h.failed) for h in health.values()] == [False, False, True, False]
    assert (worker.health.degraded, worker.health.audio.value) == (True, "failed")
    assert worker.health.steps == sum(h.steps for h in health.values())


class HeldDevice(ScriptedDevice):
    """A device that is there until somebody lets it go."""

    paused = False

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        item = super().read(timeout)
        self.ended = False
        if item is None:
            time.sleep(0.01)
        return item

    def pause(self) -> None:
        self.paused = True


def test_a_fault_of_ours_in_one_ends_that_one_alone(
    model: Model,
    clips: dict[str, FloatArray],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    speech = np.concatenate([clips["03a01Wa"]] * 2)

    def unreadable() -> Iterator[Chunk]:
        yield from pieces(speech[:8000])
        raise ValueError("no such thing")

    sink = Collected()
    device = HeldDevice(pieces(speech))
    worker = Worker(
        [
            fed(model, sink, device, "wrong"),
            fed(model, sink, ScriptedFile(pieces(speech)), "right"),
            fed(model, sink, ScriptedFile(unreadable()), "unreadable"),
            fed(model, sink, ScriptedFile(pieces(speech)), "untold"),
        ]
    )
    wrong, _, _, untold = worker.streams
    work_on, events = wrong.pipeline.work_on, untold.announcer.events

    def fail_late(chunk: Chunk) -> Work[list[StreamEvent]]:
        if chunk.start > 40_000:
            raise RuntimeError("out of order")
        return (yield from work_on(chunk))

    def fail_to_tell(found: Any, arrived: float) -> None:
        if found:
            raise TypeError("no number")
        events(found, arrived)

    monkeypatch.setattr(wrong.pipeline, "work_on", fail_late)
    monkeypatch.setattr(untold.announcer, "events", fail_to_tell)
    worker.run()
    alone = Collected()
    Worker([fed(model, alone, ScriptedFile(pieces(speech)), "alone")]).run()
    assert steps(told_of(sink, "right")) == steps(told_of(alone, "alone")) != []
    for name, why in (
        ("wrong", "computing failed: RuntimeError('out of order')"),
        ("untold", "computing failed: TypeError('no number')"),
        ("unreadable", "reading failed: ValueError('no such thing')"),
    ):
        told = told_of(sink, name)
        assert [(m["state"], m["detail"]) for m in told[-2:]] == [
            ("failed", why),
            ("ended", why),
        ]
        assert f"{name}: {why}" in caplog.text
    # What had begun has an end, the device is let go, and says why it does not return.
    phases = [m["phase"] for m in told_of(sink, "wrong") if m["type"] == "emotion"]
    assert phases[0] == "start"
    assert phases[-1] == "end"
    assert device.paused
    with pytest.raises(ConfigError, match="wrong cannot be resumed; it has ended"):
        worker.resume("wrong")
    assert sink.messages[-1]["type"] == "bye"
    failed = [stream.name for stream in worker.streams if stream.health.failed]
    assert failed == ["wrong", "unreadable", "untold"]
    assert worker.health.degraded


def test_a_device_that_is_behind_skips_to_the_newest_and_others_lose_nothing(
    model: Model, clip: FloatArray
) -> None:
    def late() -> Iterator[Chunk | Condition]:
        now = time.monotonic()
        yield Chunk(0, clip[:3200], now - 1.5)
        yield Condition(AudioState.LOST, "unplugged")
        yield Chunk(9600, clip[:3200], now - 1.2)
        yield Chunk(12_800, clip[:3200], now)

    sink = Collected()
    device = fed(model, sink, ScriptedDevice(late()), "mic")
    file = ScriptedFile(pieces(clip))
    inbox = Inbox([device, fed(model, sink, file, "file")])
    with inbox:
        wait_until(lambda: file.reads > HELD)
        time.sleep(0.1)
        # Held back: it holds one more in its hand.
        assert file.reads == HELD + 1
        mine: list[Any] = []
        kinds: list[str] = []
        while "Ended" not in kinds:
            mine += [item for stream, item in inbox.take(20.0) if stream.name == "mic"]
            kinds = [type(item).__name__ for item in mine]
    assert kinds == ["Skipped", "Condition", "Chunk", "Ended"]
    assert (mine[0].lag > 1.4, mine[2].start) == (True, 12_800)


def test_a_device_is_asked_by_its_reader_and_by_its_own_name(
    model: Model,
) -> None:
    asked: list[tuple[str, str]] = []

    class Patient(ScriptedDevice):
        def read(self, timeout: float, /) -> Chunk | Condition | None:
            time.sleep(0.01)
            return None

        def pause(self) -> None:
            asked.append(("pause", threading.current_thread().name))

    sink = Collected()
    worker = Worker(
        [
            fed(model, sink, Patient(iter(())), "desk"),
            fed(model, sink, Patient(iter(())), "hall", "hall.left", "hall.right"),
            fed(model, sink, ScriptedFile(iter(())), "file"),
        ]
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: bool(sink.of("snapshot")))
        assert worker.pause("hall") == ["hall"]
        assert worker.pause() == ["desk", "hall"]
        assert asked == [("pause", f"reads {n}") for n in ("hall", "desk", "hall")]
        for name, complaint in (
            ("hall.left", "is a channel of hall"),
            ("file", "only a microphone can"),
            ("nobody", "there are: desk, hall, file"),
        ):
            with pytest.raises(ConfigError, match=complaint):
                worker.pause(name)
        assert [s.name for s in worker.streams_of("hall")] == [
            "hall.left",
            "hall.right",
        ]
        assert [s.name for s in worker.streams_of("hall.left")] == ["hall.left"]
    finally:
        worker.stop()
        thread.join(60)
    assert not thread.is_alive()
