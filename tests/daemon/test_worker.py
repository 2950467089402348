"""The worker, with a source that says what a device would say."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

import numpy as np
import pytest

from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import (
    AudioInfo,
    AudioState,
    Chunk,
    Condition,
    FloatArray,
    SpeechWindow,
)
from ser_stream.protocol.messages import Message
from ser_stream.sources import Device
from tests.helpers.standing_clock import StandingClock

SECOND = 16_000


class ScriptedDevice:
    """Gives what it was told to, then ends."""

    def __init__(self, items: Iterator[Chunk | Condition]) -> None:
        self._items = items
        self.info = AudioInfo("mic", "Scripted", 48_000)
        self.live = True
        self.ended = False
        self.skipped = 0

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        item = next(self._items, None)
        self.ended = item is None
        if isinstance(item, Condition) and item.detail == "another one":
            self.info = AudioInfo("mic", "Other", 44_100)
        return item

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def skip_to_newest(self) -> int:
        self.skipped += 1
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...


class Collected:
    """A sink that keeps everything."""

    closed = False

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, message: Message, /) -> None:
        assert message.line
        self.messages.append(dict(message.fields))

    def close(self) -> None: ...

    def of(self, type: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == type]


def heard(samples: FloatArray, start: int, late_s: float = 0.0) -> Chunk:
    return Chunk(start, samples, time.monotonic() - late_s)


def run(items: Iterator[Chunk | Condition]) -> tuple[Collected, Worker, ScriptedDevice]:
    source, sink = ScriptedDevice(items), Collected()
    assert isinstance(source, Device)
    bundle = load_bundle("open")
    config = PipelineConfig(smoothing=bundle.thresholds)
    worker = Worker(source, bundle, config, [sink])
    worker.run()
    return sink, worker, source


@pytest.mark.usefixtures("clock")
def test_behind_real_time_it_skips_counts_and_says_so(clip: FloatArray) -> None:
    def items() -> Iterator[Chunk]:
        yield heard(clip[:16_000], 0)
        yield heard(clip[16_000:20_000], 16_000, late_s=1.6)
        yield heard(clip[:16_000], 48_000)

    sink, worker, source = run(items())
    assert source.skipped == 1
    assert worker.health.skipped == 8
    (said,) = sink.of("status")
    assert (said["what"], said["state"]) == ("overload", "overflow")
    assert "1.6 s behind: some 8 steps are skipped" in said["detail"]
    # The jump is on the clock, and is not told a second time as an overflow.
    assert (worker.health.gaps, worker.health.overflows) == (1, 0)
    assert worker.health.lost_samples == 32_000
    assert sink.of("prediction")[-1]["end_ms"] > 3000


def test_a_lost_device_ends_the_emotion_at_once(clips: dict[str, FloatArray]) -> None:
    speech = np.concatenate([clips["03a01Wa"], clips["03a01Wa"]])

    def items() -> Iterator[Chunk | Condition]:
        yield heard(speech, 0)
        yield Condition(AudioState.LOST, "unplugged")
        yield Condition(AudioState.RECOVERING, "looking for it")
        yield Condition(AudioState.HEALTHY, "another one")
        yield heard(speech[:8000], 10 * SECOND)

    sink, worker, _ = run(items())
    kinds = [(m["type"], m.get("phase") or m.get("state")) for m in sink.messages]
    assert kinds.index(("emotion", "end")) < kinds.index(("status", "lost"))
    audio = [m["state"] for m in sink.of("status")]
    assert audio == ["lost", "recovering", "healthy"]
    # Whoever subscribes is told of the other device.
    assert [m["audio"]["device"] for m in sink.of("hello")] == ["Scripted", "Other"]
    assert worker.health.overflows == 0
    assert worker.health.gaps == 1


def test_sound_that_comes_late_brings_another_hello_with_the_right_t0(
    clock: StandingClock,
) -> None:
    def items() -> Iterator[Chunk | Condition]:
        yield Condition(AudioState.PAUSED, "the device is released")
        clock.passed += 0.7
        yield heard(np.zeros(SECOND, np.float32), 0)

    sink, _, _ = run(items())
    first, second = (m["t0"] for m in sink.of("hello"))
    assert first != second
    # The second's samples were spoken in the second before they came.
    spoken_at = datetime.fromisoformat(second).timestamp()
    assert abs(spoken_at - (clock.time() - 1.0)) < 0.002
    step = sink.of("prediction")[0]
    spoken = datetime.fromisoformat(step["time"]) - datetime.fromisoformat(second)
    assert abs(spoken.total_seconds() * 1000 - step["end_ms"]) < 2


def test_an_overflow_is_told_with_what_was_lost() -> None:
    quiet = np.zeros(SECOND, np.float32)

    def items() -> Iterator[Chunk]:
        yield heard(quiet, 0)
        yield heard(quiet, SECOND + 4000)

    sink, worker, _ = run(items())
    (said,) = sink.of("status")
    assert (said["what"], said["state"]) == ("audio", "overflow")
    assert said["detail"] == "0.250 s of audio were lost"
    assert (worker.health.overflows, worker.health.gaps) == (1, 1)


def test_what_is_submitted_after_the_end_is_refused() -> None:
    _, worker, _ = run(iter([heard(np.zeros(SECOND, np.float32), 0)]))
    with pytest.raises(SerStreamError, match="the daemon is ending"):
        worker.submit(lambda: 1).result(0)


def test_what_is_submitted_fails_where_it_was_asked_for() -> None:
    results = []

    def items() -> Iterator[Chunk]:
        def wrong() -> None:
            raise ConfigError("no")

        results.append(workers[0].submit(wrong))
        results.append(workers[0].submit(lambda: 7))  # type: ignore[arg-type]
        for k in range(3):
            yield heard(np.zeros(SECOND, np.float32), k * SECOND)

    workers: list[Worker] = []
    bundle = load_bundle("open")
    workers.append(
        Worker(ScriptedDevice(items()), bundle, PipelineConfig(), [Collected()])
    )
    workers[0].run()
    with pytest.raises(ConfigError, match="no"):
        results[0].result(0)
    assert results[1].result(0) == 7


def test_a_recording_waits_for_its_listener_and_does_what_is_submitted_meanwhile(
    clips: dict[str, FloatArray],
) -> None:
    speech = np.concatenate([clips["03a01Wa"]] * 3)
    heard_windows: list[SpeechWindow] = []
    done: list[str] = []

    def must_wait(_timeout: float) -> bool:
        # As online adaptation does: each window brings something for the worker to do.
        if len(done) == len(heard_windows):
            return False
        worker.submit(lambda: done.append("swapped"))
        return True

    worker = Worker(
        ScriptedDevice(heard(speech[k : k + 3200], k) for k in range(0, 90_000, 3200)),
        load_bundle("open"),
        PipelineConfig(),
        [Collected()],
        listener=heard_windows.append,
        must_wait=must_wait,
    )
    worker.run()
    assert len(done) == len(heard_windows) > 2


def test_what_the_worker_does_not_come_to_is_not_done_later_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ser_stream.daemon.worker.CALL_WAIT", 0.01)
    done: list[int] = []
    quiet = np.zeros(SECOND, np.float32)
    source = ScriptedDevice(iter([heard(quiet, 0), heard(quiet, SECOND)]))
    worker = Worker(source, load_bundle("open"), PipelineConfig(), [Collected()])
    with pytest.raises(SerStreamError, match="has not come to it within"):
        worker.call(lambda: done.append(1))
    worker.run()
    assert done == []
    with pytest.raises(SerStreamError, match="the daemon is ending"):
        worker.call(lambda: done.append(1))


def test_another_version_is_told_before_its_first_prediction(
    clips: dict[str, FloatArray],
) -> None:
    bundle = load_bundle("open")
    adapted = replace(bundle, sha256="a" * 64, adapted=True)
    sink = Collected()

    def items() -> Iterator[Chunk]:
        yield heard(clips["03a01Wa"], 0)
        workers[0].submit(
            lambda: workers[0].adapt(adapted, OnnxRecognizer(bundle), "accepted", "ok")
        )
        workers[0].submit(lambda: workers[0].reconfigure(PipelineConfig(step_s=0.4)))
        yield heard(clips["08a04Ff"], len(clips["03a01Wa"]))

    workers: list[Worker] = []
    workers.append(Worker(ScriptedDevice(items()), bundle, PipelineConfig(), [sink]))
    workers[0].run()
    types = [m["type"] for m in sink.messages]
    at = types.index("adaptation")
    assert types[at + 1] == "hello"
    told, hello = sink.messages[at : at + 2]
    assert (told["phase"], told["bundle"]) == ("accepted", "a" * 64)
    assert hello["model"]["adapted"]
    # A reload changes the settings and not the version.
    health = workers[0].health
    assert (health.model_sha256, health.adapted) == ("a" * 64, True)
    assert health.adaptations["accepted"] == 1
