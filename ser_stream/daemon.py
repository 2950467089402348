"""The running program: a source, the pipeline, sinks, and an orderly end."""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ser_stream.bundle import Bundle
from ser_stream.events import Message, Protocol, bye
from ser_stream.pipeline import Pipeline, PipelineConfig
from ser_stream.recognizer import OnnxRecognizer
from ser_stream.sinks import Sink
from ser_stream.sources import Source
from ser_stream.values import (
    SAMPLE_RATE,
    Chunk,
    EmotionEvent,
    Gap,
    Prediction,
    StreamEvent,
)
from ser_stream.window import COLUMN_LENGTH

_LOGGER = logging.getLogger(__name__)
READ_TIMEOUT = 0.25
"""Seconds; how long a stop may take to be noticed while no audio comes."""
HELLO_WAIT = 0.5
"""Seconds; how long `hello` may wait for the first samples."""


class Worker:
    """Reads the source, feeds the pipeline, publishes; until the end or a stop."""

    def __init__(
        self,
        source: Source,
        bundle: Bundle,
        config: PipelineConfig,
        sinks: Sequence[Sink],
    ) -> None:
        self._source = source
        self._bundle = bundle
        self._config = config
        self._sinks = sinks
        recognizer = OnnxRecognizer(bundle)
        self._labels = recognizer.labels
        self._pipeline = Pipeline(recognizer, bundle.front_end, config)
        self._stop = threading.Event()
        self._protocol = Protocol(datetime.now(UTC))
        self._end = 0
        self._heard = self._predicted = False

    def stop(self) -> None:
        """Ask for an orderly end; safe from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until the source ends, `stop` is called, or nobody reads.

        Says `hello` first, and whatever happens ends with the last `emotion` end and
        `bye`.

        Raises:
            SourceError: if the input fails while it is read.
        """
        first = self._first_chunk()
        hello = self._protocol.hello(self._bundle, self._source.info, self._config)
        self._publish(hello)
        try:
            if first is not None:
                self._chunk(first)
            while not self._finished():
                chunk = self._read(READ_TIMEOUT)
                if chunk is not None:
                    self._chunk(chunk)
        finally:
            for event in self._pipeline.flush():
                self._event(event, time.monotonic())
            self._publish(bye("shutdown"))
        if not self._predicted and not self._stop.is_set() and self._source.ended:
            _LOGGER.warning(
                "the input lasts %.4g s, and the first prediction needs %.4f s; "
                "`ser-stream recognize` pads short files",
                self._end / SAMPLE_RATE,
                COLUMN_LENGTH / SAMPLE_RATE,
            )

    def _first_chunk(self) -> Chunk | None:
        # `hello` says when sample 0 was spoken, so it waits for the first samples; but
        # not long: whoever starts this wants to know that it runs.
        deadline = time.monotonic() + HELLO_WAIT
        self._protocol.t0, chunk = datetime.now(UTC), None
        while chunk is None and not self._stop.is_set() and not self._source.ended:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            chunk = self._read(remaining)
        return chunk

    def _read(self, timeout: float) -> Chunk | None:
        chunk = self._source.read(timeout)
        if chunk is not None and not self._heard:
            # Also when `hello` did not wait for it: `time` is right from here on.
            self._heard = True
            age = time.monotonic() - chunk.arrived + chunk.end / SAMPLE_RATE
            self._protocol.t0 = datetime.now(UTC) - timedelta(seconds=age)
        return chunk

    def _finished(self) -> bool:
        if self._stop.is_set() or self._source.ended:
            return True
        return bool(self._sinks) and all(sink.closed for sink in self._sinks)

    def _chunk(self, chunk: Chunk) -> None:
        self._end = chunk.end
        for event in self._pipeline.feed(chunk):
            self._event(event, chunk.arrived)

    def _event(self, event: StreamEvent, arrived: float) -> None:
        if isinstance(event, Prediction):
            self._predicted = True
            latency_ms = (time.monotonic() - arrived) * 1000
            self._publish(self._protocol.prediction(event, self._labels, latency_ms))
        elif isinstance(event, EmotionEvent):
            self._publish(self._protocol.emotion(event))
        elif isinstance(event, Gap):
            lost = (event.end - event.start) / SAMPLE_RATE
            detail = f"{lost:.3f} s of audio were lost"
            self._publish(
                self._protocol.status("audio", event.reason, detail, event.end)
            )

    def _publish(self, message: Message) -> None:
        for sink in self._sinks:
            sink.send(message)
