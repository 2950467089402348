"""What is one stream's own: its source, its pipeline, and what is told of it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ser_stream.daemon.announcer import Announcer
from ser_stream.model import Model
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.speaker import KnownVoice, Speaker
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioState,
    Chunk,
    Condition,
    SpeechWindow,
    StreamEvent,
)
from ser_stream.sources.boot_clock import elapsed

_LOGGER = logging.getLogger(__name__)
MAX_LAG = 1.0
"""Seconds that a sample may wait for us before we skip to the newest."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """In place of samples that waited too long, and were thrown away."""

    lag: float
    """Seconds that the oldest had waited."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come, while other streams go on."""

    failure: str = ""
    """Why the source could not be read on; empty if it came to its end."""
    damage: str = ""
    """What was wrong with what was read."""


Item = Chunk | Condition | Skipped | Ended
"""What comes to a stream from its source."""


class Listener(Protocol):
    """Learns from the speech, as `adaptation.adapter` does."""

    def add_window(self, window: SpeechWindow, /) -> None:
        """Take a window of speech; see `Pipeline`."""

    def must_wait(self, timeout: float, /) -> bool:
        """Whether the input has to wait for what it makes of that.

        Asked after each step; may take `timeout` seconds to answer.
        """


class Stream:
    """Used by the worker's thread alone; others read `health`."""

    def __init__(
        self,
        name: str,
        model: Model,
        announcer: Announcer,
        listener: Listener | None = None,
    ) -> None:
        """Begin.

        Args:
            name: what operators call it, also if it is the only one.
            model: which computes.
            announcer: tells.
            listener: learns.
        """
        self.name = name
        self.announcer = announcer
        self.health = announcer.health
        self.listener = listener
        self.broken = False
        """Whether it ended by a fault of ours; what comes later is thrown away."""
        self._silent_since: float | None = None
        """`elapsed` when its source fell silent; None while it is heard."""
        self._use(model, self.pipeline_of(model))

    # What comes from the source.

    def follow(self, chunk: Chunk) -> None:
        """Note when a chunk came; before anything is said of it."""
        self.announcer.set_clock(chunk)

    def tell(self, item: Condition | Skipped | Ended) -> None:
        """Tell what became of the source."""
        if self.broken:
            return
        if isinstance(item, Ended):
            self.flush()
            self._fall_silent()
            self.announcer.ended(item.failure, item.damage)
            return
        if isinstance(item, Skipped):
            self.announcer.skipped(item.lag)
            return
        if item.state in (AudioState.LOST, AudioState.PAUSED):
            # The speech has ended for us; what comes later is new speech.
            self.flush()
            self._fall_silent()
        self.announcer.condition(item)

    def heard(self, chunk: Chunk, events: Sequence[StreamEvent]) -> None:
        """Tell what the pipeline made of a chunk."""
        self._silent_since = None
        self.announcer.processed(chunk, events)

    def _fall_silent(self) -> None:
        if self._silent_since is None:
            self._silent_since = elapsed()
        if self.pipeline.who is not None:
            self.pipeline.who.end_turn()

    def forget_old_voices(self) -> None:
        """Forget who was not heard for a day, while the source is silent.

        Paused, lost or ended: no block comes then, by which time passes elsewhere.
        """
        who = self.pipeline.who
        if who is not None and self._silent_since is not None:
            missed = round((elapsed() - self._silent_since) * SAMPLE_RATE)
            who.voices.forget_old(self.health.end + missed)

    def flush(self) -> None:
        """End what goes on."""
        if not self.broken:
            self.announcer.events(self.pipeline.flush(), time.monotonic())

    def fail(self, error: Exception) -> None:
        """End it alone, by a fault of ours: the log says more than `status`."""
        self.broken = True
        self._silent_since = elapsed()
        _LOGGER.error(
            "%sthis stream is ended by a fault of ser-stream, others go on",
            self.announcer.prefix,
            exc_info=error,
        )
        self.announcer.events(self.pipeline.give_up(), time.monotonic())
        self.announcer.ended(f"computing failed: {error!r}", "")

    def warn_if_short(self) -> None:
        """At the end of the input: say why nothing was told of it, if so."""
        if not (self.health.steps or self.broken):
            _LOGGER.warning(
                "%sthe input lasts %.4g s, and the first prediction needs %.4f s; "
                "`ser-stream recognize` pads short files",
                self.announcer.prefix,
                self.health.end / SAMPLE_RATE,
                self.model.bundle.geometry.first_step / SAMPLE_RATE,
            )

    # What is done between two steps.

    def pipeline_of(self, model: Model) -> Pipeline:
        """A new one, to go on with."""
        return model.pipeline(
            None if self.listener is None else self.listener.add_window
        )

    def go_on_with(self, model: Model, pipeline: Pipeline) -> None:
        """Go on with another pipeline, which `pipeline_of` made."""
        if self.broken:
            self._use(model, pipeline)
            return
        # What can fail comes first: then nothing has changed.
        events = pipeline.take_over_from(self.pipeline)
        self.announcer.events(events, time.monotonic())
        self._use(model, pipeline)

    def _use(self, model: Model, pipeline: Pipeline) -> None:
        self.model, self.pipeline = model, pipeline
        self.announcer.use(model.bundle, model.config)

    @property
    def speaker(self) -> Speaker:
        """What is known of who speaks."""
        return self.pipeline.speaker

    def know(self, voice: KnownVoice | None) -> None:
        """Go on with what is known of the voices."""
        self.pipeline.speaker.known = voice
