"""What is made of the worker's findings: messages for the sinks, and `Health`."""

import time
from collections.abc import Sequence

import numpy as np
import pytest

from ser_stream.daemon.announcer import Announcer
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.values import (
    AudioState,
    Chunk,
    Condition,
    EmotionEvent,
    Gap,
    Phase,
    StreamEvent,
)
from tests.helpers.collecting_sink import Collected
from tests.helpers.protocol_schema import validate
from tests.helpers.scripted_device import ScriptedDevice

GAP = Gap(16_000, 20_000, "overflow")


@pytest.fixture
def sink() -> Collected:
    return Collected()


@pytest.fixture
def announcer(sink: Collected) -> Announcer:
    announcer = Announcer(ScriptedDevice(iter(())), [sink])
    announcer.use(load_bundle("open"), PipelineConfig())
    return announcer


def process(
    announcer: Announcer, start: int, events: Sequence[StreamEvent] = ()
) -> None:
    chunk = Chunk(start, np.zeros(16_000, np.float32), time.monotonic())
    announcer.set_clock(chunk)
    announcer.processed(chunk, events)


def test_it_begins_with_hello_and_a_snapshot_and_every_line_fits_the_schema(
    announcer: Announcer, sink: Collected
) -> None:
    announcer.begin(heard=False)
    process(announcer, 0, [EmotionEvent(Phase.START, 1, "angry", 0, 9000, 0.7)])
    announcer.adaptation("rejected", "canary recall falls", "a" * 64)
    announcer.reload("reloaded", "no setting changed", hello=False)
    announcer.skipped(1.6)
    announcer.bye()
    types = [validate(message)["type"] for message in sink.messages]
    # The first samples say when they were spoken, which the first hello had to guess.
    assert types == [
        *("hello", "snapshot", "hello", "snapshot", "emotion", "adaptation"),
        *("status", "status", "bye"),
    ]
    assert [sink.messages[n]["audio"] for n in (1, 3)] == ["recovering", "healthy"]
    health = announcer.health
    assert (health.emotions, health.skipped, health.end) == (1, 8, 16_000)
    assert health.adaptations["rejected"] == 1
    assert (health.known, health.device, health.model) == (True, "Scripted", "open")


def test_a_gap_is_an_overflow_unless_its_reason_has_been_said(
    announcer: Announcer, sink: Collected
) -> None:
    announcer.begin(heard=False)
    process(announcer, 0)
    announcer.condition(Condition(AudioState.LOST, "unplugged"))
    announcer.condition(Condition(AudioState.HEALTHY, ""))
    process(announcer, 20_000, [GAP])
    announcer.skipped(1.0)
    process(announcer, 40_000, [GAP])
    assert (announcer.health.gaps, announcer.health.overflows) == (2, 0)
    process(announcer, 60_000, [GAP])
    assert (announcer.health.gaps, announcer.health.overflows) == (3, 1)
    assert announcer.health.lost_samples == 3 * 4000
    said = [(m["what"], m["state"]) for m in sink.of("status")]
    assert said == [
        *(("audio", "lost"), ("audio", "healthy")),
        *(("overload", "overflow"), ("audio", "overflow")),
    ]


def test_it_is_abandoned_when_every_sink_is_closed(sink: Collected) -> None:
    source, other = ScriptedDevice(iter(())), Collected()
    announcer = Announcer(source, [sink, other])
    seen = []
    for each in (sink, other):
        each.closed = True
        seen.append(announcer.abandoned)
    assert seen == [False, True]
    assert not Announcer(source, []).abandoned
