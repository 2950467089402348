"""Turns what the worker finds into messages for the sinks, and keeps `Health`."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ser_stream.log import Every
from ser_stream.metrics.health import Health
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioInfo,
    AudioState,
    Chunk,
    Condition,
    EmotionEvent,
    Gap,
    Phase,
    Prediction,
    SpeechState,
    StreamEvent,
)
from ser_stream.protocol.messages import Message, MessageBuilder, bye, snapshot
from ser_stream.sinks import Sink

_LOGGER = logging.getLogger(__name__)
OVERLOAD_EVERY = 10.0
"""Seconds between two lines of the log about a machine that is too slow."""


class Origin(Protocol):
    """Where the audio comes from, as far as messages tell of it; a `Source` is one."""

    @property
    def info(self) -> AudioInfo: ...

    @property
    def live(self) -> bool: ...


class Announcer:
    """Used by the worker's thread alone; others read `health`."""

    def __init__(
        self,
        source: Origin,
        sinks: Sequence[Sink],
        health: Health | None = None,
        observe: Callable[[float], None] | None = None,
        name: str = "",
    ) -> None:
        """Begin a stream.

        Args:
            source: what it is of.
            sinks: where messages go.
            health: what is counted and noted in.
            observe: told the latency of each step, in seconds.
            name: of the source, if there are several; empty for the only one.
        """
        self.health = health or Health()
        self._source = source
        self._sinks = sinks
        self._observe = observe
        self._messages = MessageBuilder(source=name)
        self.name = name
        self.prefix = f"{name}: " if name else ""
        """Before lines of the log."""
        self._audio: AudioInfo | None = None
        self._overload = Every(OVERLOAD_EVERY)
        self._expected_gap = False

    @property
    def abandoned(self) -> bool:
        return bool(self._sinks) and all(sink.closed for sink in self._sinks)

    def use(self, bundle: Bundle, config: PipelineConfig) -> None:
        """From now on it is this model that predicts."""
        self._bundle, self._config = bundle, config
        self._messages.speakers = config.most_speakers > 0
        self.health.model, self.health.model_sha256 = bundle.name, bundle.sha256
        self.health.adapted = bundle.adapted

    # The beginning and the end of the stream.

    def begin(self, *, heard: bool) -> None:
        """Say `hello`, and how things stand; whether the first samples have come."""
        self.hello()
        self._snapshot(AudioState.HEALTHY if heard else self.health.audio)

    def _snapshot(self, audio: AudioState) -> None:
        """As it is before the first step."""
        self._publish(snapshot(0, SpeechState.NO_SPEECH.value, None, audio, self.name))

    def hello(self) -> None:
        self._audio = self._source.info
        self._publish(self._messages.hello(self._bundle, self._audio, self._config))

    def bye(self) -> None:
        self._publish(bye("shutdown"))

    # What comes from the source.

    def set_clock(self, chunk: Chunk) -> None:
        """Find out when samples are spoken; before anything is said of the chunk."""
        if not self.health.end:
            self._messages.clock.begin(chunk)
            if self._audio is not None:
                # `hello` could only guess when sample 0 would be spoken, and what came
                # with it said that no sound has come.
                self.hello()
                self._snapshot(AudioState.HEALTHY)
        elif self._source.live:
            self._messages.clock.follow(chunk)

    def processed(self, chunk: Chunk, events: Sequence[StreamEvent]) -> None:
        if not self.health.end:
            self._set_audio(AudioState.HEALTHY, "")
        self.health.end = chunk.end
        self.events(events, chunk.arrived)
        self._expected_gap = False

    def skipped(self, lag: float) -> None:
        """Tell that samples were left out, being `lag` seconds behind real time."""
        steps = round(lag / self._config.step_s)
        self.health.skipped += steps
        self._expected_gap = True
        detail = f"{lag:.1f} s behind: some {steps} steps are skipped"
        self._overload.log(
            _LOGGER,
            logging.WARNING,
            "%s%s; the machine is too slow or too busy",
            self.prefix,
            detail,
        )
        self._status("overload", "overflow", detail)

    def condition(self, condition: Condition) -> None:
        if condition.state is not AudioState.HEALTHY:
            self._expected_gap = True
        self._set_audio(condition.state, condition.detail)
        trouble = condition.state in (AudioState.LOST, AudioState.FAILED)
        _LOGGER.log(
            logging.WARNING if trouble else logging.INFO,
            "%saudio %s: %s",
            self.prefix,
            condition.state.value,
            condition.detail,
        )
        self._status("audio", condition.state.value, condition.detail)
        if self.health.end and self._audio not in (None, self._source.info):
            # Another device, or the same one at another rate.
            self.hello()

    def ended(self, failure: str, damage: str) -> None:
        """Nothing more will come: why, if it should have; what was wrong with it."""
        self.health.failed = failure or damage
        detail = failure or damage or "the input has ended"
        if failure:
            _LOGGER.error("%s%s", self.prefix, failure)
            self._status("audio", AudioState.FAILED.value, failure)
        else:
            _LOGGER.info("%s%s", self.prefix, detail)
        self._set_audio(AudioState.ENDED, detail)
        self._status("audio", AudioState.ENDED.value, detail)

    def _set_audio(self, state: AudioState, detail: str) -> None:
        self.health.known = True
        self.health.audio, self.health.detail = state, detail
        self.health.device = self._source.info.device

    # What comes from the pipeline.

    def events(self, events: Sequence[StreamEvent], arrived: float) -> None:
        """Tell of events, whose last sample arrived at `arrived`, monotonic seconds."""
        for event in events:
            if isinstance(event, Prediction):
                self._prediction(event, arrived)
            elif isinstance(event, EmotionEvent):
                self.health.emotions += event.phase is Phase.START
                self._publish(self._messages.emotion(event))
            elif isinstance(event, Gap):
                self._gap(event)

    def _prediction(self, event: Prediction, arrived: float) -> None:
        latency = time.monotonic() - arrived
        self.health.steps += 1
        self.health.latencies.append(latency)
        if self._observe is not None:
            self._observe(latency)
        labels = self._bundle.labels
        self._publish(self._messages.prediction(event, labels, latency * 1000))

    def _gap(self, gap: Gap) -> None:
        if gap.reason == "joined":
            return
        self.health.gaps += 1
        self.health.lost_samples += gap.end - gap.start
        if self._expected_gap or self.health.audio is not AudioState.HEALTHY:
            # Why samples are missing has been said: paused, lost or skipped.
            return
        self._lost(gap.reason, gap.end - gap.start, gap.end)

    def unheard(self, samples: int, end: int) -> None:
        """Tell of samples up to `end` that nobody can hear, at the stream's border."""
        self.health.gaps += 1
        self.health.lost_samples += samples
        self._lost("overflow", samples, end)

    def _lost(self, reason: str, samples: int, at: int) -> None:
        self.health.overflows += 1
        lost = samples / SAMPLE_RATE
        self._status("audio", reason, f"{lost:.3f} s of audio were lost", at)

    def moved(self, lost_s: float) -> None:
        """Tell that the stream was elsewhere before, and what nobody heard of it."""
        self.health.gaps += 1
        detail = f"{lost_s:.3f} s of audio were lost before this stream came here"
        self._status("audio", "overflow", detail)

    # What comes from the operator, and from adaptation.

    def reload(self, state: str, detail: str, *, hello: bool) -> None:
        self._status("model", state, detail)
        if hello:
            self.hello()

    def adaptation(self, phase: str, reason: str, bundle_sha256: str) -> None:
        rounds = self.health.adaptations
        self.health.adaptations = {**rounds, phase: rounds.get(phase, 0) + 1}
        self._publish(
            self._messages.adaptation(phase, reason, bundle_sha256, self._now())
        )

    def _status(
        self, what: str, state: str, detail: str, sample: int | None = None
    ) -> None:
        sample = self._now() if sample is None else sample
        self._publish(self._messages.status(what, state, detail, sample))

    def _now(self) -> int | None:
        # A recording may be read faster than it was spoken.
        return None if self._source.live else self.health.end

    def _publish(self, message: Message) -> None:
        for sink in self._sinks:
            sink.send(message)
