"""The one thread that computes: reads the source, feeds the pipeline, publishes."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.log import Every
from ser_stream.metrics.health import Health
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
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
    SpeechWindow,
    StreamEvent,
)
from ser_stream.protocol.messages import Message, MessageBuilder, bye, snapshot
from ser_stream.sinks import Sink
from ser_stream.sources import Device, Source

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")
READ_TIMEOUT = 0.25
"""Seconds; how long a stop may take to be noticed while no audio comes."""
HELLO_WAIT = 0.5
"""Seconds; how long `hello` may wait for the first samples."""
OVERLOAD_EVERY = 10.0
"""Seconds between two lines of the log about a machine that is too slow."""
CALL_WAIT = 30.0
"""Seconds that it may take to come to a request; opening a device is slow."""
HOLD_WAIT = 0.05
"""Seconds between two looks at what was submitted, while a recording is held up."""
MAX_LAG = 1.0
"""Seconds that a sample may wait for us before we skip to the newest."""


class Worker:
    """Works until the source ends, a stop, or until nobody reads."""

    _pipeline: Pipeline

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        config: PipelineConfig,
        sinks: Sequence[Sink],
        health: Health | None = None,
        observe: Callable[[float], None] | None = None,
        listener: Callable[[SpeechWindow], None] | None = None,
        must_wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Load the model.

        Args:
            source: open already.
            bundle: the model.
            config: how often to predict, and how steadily.
            sinks: get every message, from the thread that calls `run`.
            health: is kept up to date, for others to read.
            observe: is told the latency of each step, in seconds.
            listener: is handed windows of speech; see `Pipeline`.
            must_wait: is asked after each step whether the input has to wait for what
                the listener makes of it, and may take so many seconds to answer.

        Raises:
            ModelError: if the model's graphs cannot be loaded.
        """
        self._source = source
        self._sinks = sinks
        self.health = health or Health()
        self._observe = observe
        self._listener = listener
        self._hold = must_wait
        self._protocol = MessageBuilder()
        self._stop = threading.Event()
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hello: Message | None = None
        self._audio: AudioInfo | None = None
        self._submitting = threading.Lock()
        self._over = False
        self._overload = Every(OVERLOAD_EVERY)
        self._expected_gap = False
        self.install(bundle, OnnxRecognizer(bundle), config)

    def stop(self) -> None:
        """Ask for an orderly end; safe from a signal handler."""
        self._stop.set()

    def submit(self, work: "Callable[[], T]") -> "Future[T]":
        """Have `work` done by the worker's own thread, between two steps."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it belongs to the caller
                future.set_exception(error)

        with self._submitting:
            # What comes after the last look at the queue would be waited for in vain.
            if self._over:
                future.set_exception(SerStreamError("the daemon is ending"))
            else:
                self._work.put(run)
        return future

    def call(self, work: "Callable[[], T]") -> T:
        """Have `work` done between two steps, and wait for what comes of it.

        Raises:
            SerStreamError: if the worker does not come to it; it is not done then,
                also not later.
        """
        future = self.submit(work)
        try:
            return future.result(CALL_WAIT)
        except TimeoutError:
            # Not later either: what is answered must be what holds.
            if future.cancel():
                raise SerStreamError(
                    f"the daemon has not come to it within {CALL_WAIT:g} s; it hangs, "
                    "or waits for a subscriber; nothing was changed"
                ) from None
            return future.result()

    def run(self) -> None:
        """Work until the source ends, `stop` is called, or nobody reads.

        Says `hello` first, and whatever happens ends with the last `emotion` end and
        `bye`.

        Raises:
            SourceError: if the input fails while it is read.
        """
        first = self._first_item()
        self._say_hello()
        audio = AudioState.HEALTHY if isinstance(first, Chunk) else self.health.audio
        self._publish(snapshot(0, SpeechState.NO_SPEECH.value, None, audio))
        try:
            self._take(first)
            while not self._finished():
                self.health.beats += 1
                self._do_submitted()
                self._take(self._read(READ_TIMEOUT))
                self._wait_for_listener()
        finally:
            self._events(self._pipeline.flush(), time.monotonic())
            with self._submitting:
                self._over = True
            # It may have something to say, and nothing is said after `bye`.
            self._do_submitted()
            self._publish(bye("shutdown"))
        if not self.health.steps and self._source.ended:
            _LOGGER.warning(
                "the input lasts %.4g s, and the first prediction needs %.4f s; "
                "`ser-stream recognize` pads short files",
                self.health.end / SAMPLE_RATE,
                self._bundle.geometry.first_step / SAMPLE_RATE,
            )

    def _first_item(self) -> Chunk | Condition | None:
        # `hello` says when sample 0 was spoken, so it waits for the first samples; but
        # not long: whoever starts this wants to know that it runs.
        deadline = time.monotonic() + HELLO_WAIT
        item: Chunk | Condition | None = None
        while item is None and not self._stop.is_set() and not self._source.ended:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            item = self._read(remaining)
        return item

    def _read(self, timeout: float) -> Chunk | Condition | None:
        item = self._source.read(timeout)
        if isinstance(item, Chunk):
            if not self.health.end:
                self._protocol.clock.begin(item)
                if self._hello is not None:
                    # It could only guess when sample 0 would be spoken.
                    self._say_hello()
            elif self._source.live:
                self._protocol.clock.follow(item)
        return item

    def _do_submitted(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            work()

    def _wait_for_listener(self) -> None:
        """A recording does not run ahead of what is learnt from it, live audio does."""
        if self._hold is None:
            return
        while not self._abandoned() and self._hold(HOLD_WAIT):
            self.health.beats += 1
            self._do_submitted()
        # What was submitted last holds before the next step.
        self._do_submitted()

    def _finished(self) -> bool:
        return self._abandoned() or self._source.ended

    def _abandoned(self) -> bool:
        if self._stop.is_set():
            return True
        return bool(self._sinks) and all(sink.closed for sink in self._sinks)

    def _take(self, item: Chunk | Condition | None) -> None:
        if isinstance(item, Condition):
            self._condition(item)
        elif item is not None and not self._is_too_late(item):
            if not self.health.end:
                self._set_audio(AudioState.HEALTHY, "")
            self.health.end = item.end
            self._events(self._pipeline.feed(item), item.arrived)
            self._expected_gap = False

    def _is_too_late(self, chunk: Chunk) -> bool:
        """Behind real time: skip to the newest, count what is left out, say so."""
        lag = time.monotonic() - chunk.arrived
        if lag < MAX_LAG or not isinstance(self._source, Device):
            return False
        self._source.skip_to_newest()
        steps = round(lag / self._pipeline.config.step_s)
        self.health.skipped += steps
        self._expected_gap = True
        detail = f"{lag:.1f} s behind: some {steps} steps are skipped"
        self._overload.log(
            _LOGGER,
            logging.WARNING,
            "%s; the machine is too slow or too busy",
            detail,
        )
        self._status("overload", "overflow", detail)
        return True

    # What a condition of the device means for the stream.

    def _condition(self, condition: Condition) -> None:
        if condition.state in (AudioState.LOST, AudioState.PAUSED):
            # Whoever spoke is not heard any more; what comes later is another matter.
            self._events(self._pipeline.flush(), time.monotonic())
        if condition.state is not AudioState.HEALTHY:
            self._expected_gap = True
        self._set_audio(condition.state, condition.detail)
        trouble = condition.state in (AudioState.LOST, AudioState.FAILED)
        _LOGGER.log(
            logging.WARNING if trouble else logging.INFO,
            "audio %s: %s",
            condition.state.value,
            condition.detail,
        )
        self._status("audio", condition.state.value, condition.detail)
        if self.health.end and self._audio not in (None, self._source.info):
            # Another device, or the same one at another rate.
            self._say_hello()

    def _set_audio(self, state: AudioState, detail: str) -> None:
        self.health.known = True
        self.health.audio, self.health.detail = state, detail
        self.health.device = self._source.info.device

    def pause(self) -> None:
        """Release the device; only by `submit`.

        Raises:
            ConfigError: if the input is no device.
        """
        self._device("paused").pause()

    def resume(self) -> None:
        """Take the device again; only by `submit`.

        Raises:
            ConfigError: if the input is no device.
        """
        self._device("resumed").resume()

    def _device(self, what: str) -> Device:
        if not isinstance(self._source, Device):
            raise ConfigError(
                f"{self._source.info.device} cannot be {what}; only a microphone can"
            )
        return self._source

    # The model, and what may change between two steps.

    def install(
        self, bundle: Bundle, recognizer: OnnxRecognizer, config: PipelineConfig
    ) -> None:
        """Go on with another model or configuration; once it runs, only by `submit`."""
        pipeline = Pipeline(recognizer, bundle.front_end, config, self._listener)
        if self._hello is not None:
            self._events(pipeline.take_over_from(self._pipeline), time.monotonic())
        self._pipeline, self._bundle = pipeline, bundle
        self._recognizer, self._labels = recognizer, recognizer.labels
        self.health.model, self.health.model_sha256 = bundle.name, bundle.sha256
        self.health.adapted = bundle.adapted

    def reconfigure(self, config: PipelineConfig) -> None:
        """Go on with another configuration of the model in force; only by `submit`."""
        self.install(self._bundle, self._recognizer, config)

    def adapt(
        self, bundle: Bundle, recognizer: OnnxRecognizer, phase: str, reason: str
    ) -> None:
        """Go on with another version of the model, and tell why; only by `submit`."""
        self.install(bundle, recognizer, self._pipeline.config)
        self.tell_adaptation(phase, reason, bundle.sha256)
        self._say_hello()

    def tell_reload(self, state: str, detail: str, *, hello: bool) -> None:
        """Publish how a reload went; only by `submit`."""
        self._status("model", state, detail)
        if hello:
            self._say_hello()

    def tell_adaptation(self, phase: str, reason: str, bundle_sha256: str) -> None:
        """Publish a step of online adaptation; only by `submit`."""
        rounds = self.health.adaptations
        self.health.adaptations = {**rounds, phase: rounds.get(phase, 0) + 1}
        self._publish(
            self._protocol.adaptation(phase, reason, bundle_sha256, self._now())
        )

    # Publishing.

    def _say_hello(self) -> None:
        self._audio = self._source.info
        self._hello = self._protocol.hello(
            self._bundle, self._audio, self._pipeline.config
        )
        self._publish(self._hello)

    def _events(self, events: Sequence[StreamEvent], arrived: float) -> None:
        for event in events:
            if isinstance(event, Prediction):
                self._prediction(event, arrived)
            elif isinstance(event, EmotionEvent):
                self.health.emotions += event.phase is Phase.START
                self._publish(self._protocol.emotion(event))
            elif isinstance(event, Gap):
                self._gap(event)

    def _prediction(self, event: Prediction, arrived: float) -> None:
        latency = time.monotonic() - arrived
        self.health.steps += 1
        self.health.latencies.append(latency)
        if self._observe is not None:
            self._observe(latency)
        self._publish(self._protocol.prediction(event, self._labels, latency * 1000))

    def _gap(self, gap: Gap) -> None:
        self.health.gaps += 1
        self.health.lost_samples += gap.end - gap.start
        if self._expected_gap or self.health.audio is not AudioState.HEALTHY:
            # Why samples are missing has been said: paused, lost or skipped.
            return
        self.health.overflows += 1
        lost = (gap.end - gap.start) / SAMPLE_RATE
        self._status("audio", gap.reason, f"{lost:.3f} s of audio were lost", gap.end)

    def _status(
        self, what: str, state: str, detail: str, sample: int | None = None
    ) -> None:
        sample = self._now() if sample is None else sample
        self._publish(self._protocol.status(what, state, detail, sample))

    def _now(self) -> int | None:
        # A recording may be read faster than it was spoken.
        return None if self._source.live else self.health.end

    def _publish(self, message: Message) -> None:
        for sink in self._sinks:
            sink.send(message)
