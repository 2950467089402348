"""The one thread that computes: reads the source, feeds the pipeline, has it told."""

import logging
import threading
import time
from typing import Protocol

from ser_stream.daemon.announcer import Announcer
from ser_stream.daemon.mailbox import Mailbox
from ser_stream.errors import ConfigError
from ser_stream.model import Model
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioState,
    Chunk,
    Condition,
    SpeechWindow,
)
from ser_stream.sources import Device, Source

_LOGGER = logging.getLogger(__name__)
READ_TIMEOUT = 0.25
"""Seconds; how long a stop may take to be noticed while no audio comes."""
HELLO_WAIT = 0.5
"""Seconds; how long `hello` may wait for the first samples."""
HOLD_WAIT = 0.05
"""Seconds between two looks at what was submitted, while a recording is held up."""
MAX_LAG = 1.0
"""Seconds that a sample may wait for us before we skip to the newest."""


class Listener(Protocol):
    """Learns from the speech, as `adaptation.adapter` does."""

    def add_window(self, window: SpeechWindow, /) -> None:
        """Take a window of speech; see `Pipeline`."""

    def must_wait(self, timeout: float, /) -> bool:
        """Whether the input has to wait for what it makes of that.

        Asked after each step; may take `timeout` seconds to answer.
        """


class Worker:
    """Works until the source ends, a stop, or until the reader leaves."""

    def __init__(
        self,
        source: Source,
        model: Model,
        announcer: Announcer,
        listener: Listener | None = None,
    ) -> None:
        self.announcer = announcer
        self.mailbox = Mailbox()
        """By which other threads have something done between two steps."""
        self.health = announcer.health
        self._source = source
        self._listener = listener
        self._stop = threading.Event()
        self._use(model, self._pipeline_of(model))

    def stop(self) -> None:
        """Ask for an orderly end; safe from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until the source ends, `stop` is called, or the reader leaves.

        Says `hello` first, and whatever happens ends with the last `emotion` end and
        `bye`.

        Raises:
            SourceError: if the input fails while it is read.
        """
        first = self._first_item()
        self.announcer.begin(first)
        try:
            self._take(first)
            while not (self._abandoned or self._source.ended):
                self.health.beats += 1
                self.mailbox.do_all()
                self._take(self._read(READ_TIMEOUT))
                self._wait_for_listener()
        finally:
            self._flush()
            # What is left may have something to say, and nothing is said after `bye`.
            self.mailbox.close()
            self.announcer.bye()
        if not self.health.steps and self._source.ended:
            _LOGGER.warning(
                "the input lasts %.4g s, and the first prediction needs %.4f s; "
                "`ser-stream recognize` pads short files",
                self.health.end / SAMPLE_RATE,
                self._model.bundle.geometry.first_step / SAMPLE_RATE,
            )

    def _first_item(self) -> Chunk | Condition | None:
        # `hello` says when sample 0 was spoken, so it waits for the first samples; but
        # not long: the user who starts this waits for it.
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
            self.announcer.set_clock(item)
        return item

    def _wait_for_listener(self) -> None:
        """A recording does not run ahead of what is learnt from it, live audio does."""
        if self._listener is None:
            return
        while not self._abandoned and self._listener.must_wait(HOLD_WAIT):
            self.health.beats += 1
            self.mailbox.do_all()
        # What was submitted last holds before the next step.
        self.mailbox.do_all()

    @property
    def _abandoned(self) -> bool:
        return self._stop.is_set() or self.announcer.abandoned

    def _take(self, item: Chunk | Condition | None) -> None:
        if isinstance(item, Condition):
            if item.state in (AudioState.LOST, AudioState.PAUSED):
                # The speech has ended for us; what comes later is new speech.
                self._flush()
            self.announcer.condition(item)
        elif item is not None and not self._is_too_late(item):
            self.announcer.processed(item, self._pipeline.feed(item))

    def _flush(self) -> None:
        self.announcer.events(self._pipeline.flush(), time.monotonic())

    def _is_too_late(self, chunk: Chunk) -> bool:
        """Behind real time: skip to the newest, count what is left out, say so."""
        lag = time.monotonic() - chunk.arrived
        if lag < MAX_LAG or not isinstance(self._source, Device):
            return False
        self._source.skip_to_newest()
        self.announcer.skipped(lag)
        return True

    # What is done between two steps; once it runs, only by the mailbox.

    def pause(self) -> None:
        """Release the device; a ConfigError if the input is none."""
        self._device("paused").pause()

    def resume(self) -> None:
        """Take the device again; a ConfigError if the input is none."""
        self._device("resumed").resume()

    def _device(self, what: str) -> Device:
        if not isinstance(self._source, Device):
            raise ConfigError(
                f"{self._source.info.device} cannot be {what}; only a microphone can"
            )
        return self._source

    def install(self, model: Model) -> None:
        """Go on with another model or configuration."""
        pipeline = self._pipeline_of(model)
        # What can fail comes first: then nothing has changed.
        events = pipeline.take_over_from(self._pipeline)
        self.announcer.events(events, time.monotonic())
        self._use(model, pipeline)

    @property
    def model(self) -> Model:
        """The active one."""
        return self._model

    @property
    def speaker(self) -> Speaker:
        """What is known of who speaks."""
        return self._pipeline.speaker

    def know(self, model: Model, voice: KnownVoice | None) -> bool:
        """Go on with what is known of the voices; False if it is of another model."""
        if self._model.recognizer is not model.recognizer:
            return False
        self._model.known = self._pipeline.speaker.known = voice
        return True

    def _pipeline_of(self, model: Model) -> Pipeline:
        return model.pipeline(
            None if self._listener is None else self._listener.add_window
        )

    def _use(self, model: Model, pipeline: Pipeline) -> None:
        self._model, self._pipeline = model, pipeline
        if isinstance(self._source, Device):
            step = model.config.step_blocks * BLOCK_LENGTH
            self._source.due(model.bundle.geometry.first_step, step)
        self.announcer.use(model.bundle, model.config)

    def reconfigure(self, config: PipelineConfig) -> None:
        """Go on with another configuration of the active model."""
        self.install(self._model.configured(config))

    def adapt(self, version: Model, phase: str, reason: str) -> None:
        """Go on with another version of the model, and tell why."""
        self.install(version.configured(self._model.config))
        self.announcer.adaptation(phase, reason, version.bundle.sha256)
        self.announcer.hello()
