"""The worker, with a source that says what a device would say."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from ser_stream.daemon.announcer import Announcer
from ser_stream.daemon.feed import Feed
from ser_stream.daemon.stream import Listener, Stream
from ser_stream.daemon.worker import Worker
from ser_stream.errors import SerStreamError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.speaker import KnownVoice
from ser_stream.pipeline.values import (
    AudioState,
    Chunk,
    Condition,
    FloatArray,
    SpeechWindow,
)
from ser_stream.sinks import Sink
from ser_stream.sources import Device
from tests.helpers.collecting_sink import Collected
from tests.helpers.scripted_device import ScriptedDevice
from tests.helpers.standing_clock import StandingClock
from tests.helpers.two_people import talk

SECOND = 16_000


def heard(samples: FloatArray, start: int, late_s: float = 0.0) -> Chunk:
    return Chunk(start, samples, time.monotonic() - late_s)


def made(
    source: ScriptedDevice,
    config: PipelineConfig | None = None,
    sink: Sink | None = None,
    listener: Listener | None = None,
) -> Worker:
    announcer = Announcer(source, [sink or Collected()])
    model = Model(load_bundle("open"), config or PipelineConfig())
    return Worker([Feed("mic", source, (Stream("mic", model, announcer, listener),))])


def run(items: Iterator[Chunk | Condition]) -> tuple[Collected, Worker, ScriptedDevice]:
    source, sink = ScriptedDevice(items), Collected()
    assert isinstance(source, Device)
    config = PipelineConfig(smoothing=load_bundle("open").thresholds)
    worker = made(source, config, sink)
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
    # Subscribers are told of the other device.
    assert [m["audio"]["device"] for m in sink.of("hello")] == ["Scripted", "Other"]
    assert worker.health.overflows == 0
    assert worker.health.gaps == 1


@pytest.mark.parametrize("state", [AudioState.PAUSED, AudioState.LOST])
def test_voices_are_forgotten_in_a_day_without_a_device(
    state: AudioState, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, turns = talk()
    hours = [0.0]
    monkeypatch.setattr("ser_stream.daemon.stream.elapsed", lambda: hours[0] * 3600)
    known: list[tuple[int, int | None]] = []

    def note() -> None:
        who = worker.streams[0].pipeline.who
        assert who is not None
        known.append((len(list(who.voices)), who.number))

    def items() -> Iterator[Chunk | Condition]:
        # To the middle of the last turn, which is learnt nevertheless.
        yield heard(samples[: (turns[-1][0] + turns[-1][1]) // 2], 0)
        yield Condition(state, "gone")
        for hours[0] in (1.0, 23.9, 24.1):
            # It has looked at the clock when it asks for the next.
            yield Condition(AudioState.RECOVERING, "looking for it")
            note()

    worker = made(ScriptedDevice(items()), PipelineConfig(most_speakers=4))
    worker.run()
    assert known == [(2, None), (2, None), (0, None)]


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


class SlowListener:
    """As online adaptation does: each window brings something for the worker to do."""

    worker: Worker

    def __init__(self) -> None:
        self.windows: list[SpeechWindow] = []
        self.done: list[str] = []

    def add_window(self, window: SpeechWindow, /) -> None:
        self.windows.append(window)

    def must_wait(self, timeout: float, /) -> bool:
        if len(self.done) == len(self.windows):
            return False
        self.worker.mailbox.submit(lambda: self.done.append("swapped"))
        return True


def test_a_recording_waits_for_its_listener_and_does_what_is_submitted_meanwhile(
    clips: dict[str, FloatArray],
) -> None:
    speech = np.concatenate([clips["03a01Wa"]] * 3)
    listener = SlowListener()
    pieces = (heard(speech[k : k + 3200], k) for k in range(0, 90_000, 3200))
    listener.worker = made(ScriptedDevice(pieces), listener=listener)
    listener.worker.run()
    assert len(listener.done) == len(listener.windows) > 2


def test_what_is_submitted_is_done_between_two_steps_and_refused_after_the_end() -> (
    None
):
    quiet = np.zeros(SECOND, np.float32)
    seen: list[int] = []

    def items() -> Iterator[Chunk]:
        for k in range(3):
            worker.mailbox.submit(lambda: seen.append(worker.health.steps))
            yield heard(quiet, k * SECOND)

    worker = made(ScriptedDevice(items()))
    worker.run()
    assert seen == sorted(seen)
    assert len(seen) == 3
    with pytest.raises(SerStreamError, match="the daemon is ending"):
        worker.mailbox.call(lambda: 1)


def test_another_version_is_told_before_its_first_prediction(
    clips: dict[str, FloatArray],
) -> None:
    adapted = replace(load_bundle("open"), sha256="a" * 64, adapted=True)
    sink = Collected()

    def items() -> Iterator[Chunk]:
        yield heard(clips["03a01Wa"], 0)
        submit = worker.mailbox.submit
        submit(lambda: worker.adapt(Model(adapted), "accepted", "ok"))
        submit(lambda: worker.reconfigure(PipelineConfig(step_s=0.4)))
        yield heard(clips["08a04Ff"], len(clips["03a01Wa"]))

    worker = made(ScriptedDevice(items()), sink=sink)
    worker.run()
    types = [m["type"] for m in sink.messages]
    at = types.index("adaptation")
    assert types[at + 1] == "hello"
    told, hello = sink.messages[at : at + 2]
    assert (told["phase"], told["bundle"]) == ("accepted", "a" * 64)
    assert hello["model"]["adapted"]
    # A reload changes the settings and not the version.
    health = worker.health
    assert (health.model_sha256, health.adapted) == ("a" * 64, True)
    assert health.adaptations["accepted"] == 1


def test_what_is_known_of_voices_goes_to_the_model_that_it_is_of(
    clip: FloatArray,
) -> None:
    worker = made(ScriptedDevice(iter([heard(clip, 0)])))

    def known() -> KnownVoice | None:
        return worker.streams[0].speaker.known

    voice = KnownVoice(np.ones(192, np.float32), 10.0)
    mine, other = worker.model, Model(load_bundle("open"))
    assert not worker.know(other, voice)
    assert known() is None
    assert worker.know(mine, voice)
    assert known() is voice
    # It goes on with another configuration, and not with another model.
    worker.reconfigure(PipelineConfig(step_s=0.4))
    assert known() is voice
    worker.install(other)
    assert known() is None
