"""The one thread that computes: takes what has come, feeds pipelines, has it told."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from ser_stream.daemon.feed import Arrivals, Arrived, Feed, OneByOne
from ser_stream.daemon.mailbox import Mailbox
from ser_stream.daemon.stream import Skipped, Stream
from ser_stream.errors import ConfigError
from ser_stream.metrics.health import Health, together
from ser_stream.model import Model
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.speaker import KnownVoice
from ser_stream.pipeline.values import Chunk
from ser_stream.sources import Device

READ_TIMEOUT = 0.25
"""Seconds; how long a stop may take to be noticed while no audio comes."""
HELLO_WAIT = 0.5
"""Seconds; how long `hello` may wait for the first samples."""
HOLD_WAIT = 0.05
"""Seconds between two looks at what was submitted, while a recording is held up."""


class Worker:
    """Works until the sources end, a stop, or until the reader leaves."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        """Prepare; one feed with one stream is read by the worker's own thread."""
        self.mailbox = Mailbox()
        """By which other threads have something done between two steps."""
        self.feeds = tuple(feeds)
        self.streams = tuple(stream for feed in feeds for stream in feed.streams)
        self._arrivals: Arrivals
        if len(self.streams) == 1:
            self._arrivals = OneByOne(self.feeds[0], self.mailbox)
        else:
            # One stream is the rule, and saves the memory of what several need.
            from ser_stream.daemon.inbox import Inbox

            self._arrivals = Inbox(self.feeds)
        self._say_due()
        self._stop = threading.Event()

    @property
    def health(self) -> Health:
        """How all of it is."""
        return together({stream.name: stream.health for stream in self.streams})

    def stop(self) -> None:
        """Ask for an orderly end; safe from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until the sources end, `stop` is called, or the reader leaves.

        Says `hello` of each stream first, and whatever happens ends with the last
        `emotion` ends and `bye`.

        What fails in one of several streams, by whatever fault, ends that stream alone.

        Raises:
            SourceError: if the one input fails while it is read.
        """
        with self._arrivals:
            first = self._first_items()
            self._begin(first)
            try:
                self._take(first)
                while not (self._abandoned or self._arrivals.ended):
                    self._beat()
                    self.mailbox.do_all()
                    for stream in self.streams:
                        stream.forget_old_voices()
                    self._take(self._arrivals.take(READ_TIMEOUT))
                    self._wait_for_listeners()
            finally:
                for stream in self.streams:
                    self._alone(stream, stream.flush)
                # What is left may have something to say, and nothing is said after
                # `bye`.
                self.mailbox.close()
                self.streams[0].announcer.bye()
        if self._arrivals.ended:
            for stream in self.streams:
                stream.warn_if_short()

    def _first_items(self) -> list[Arrived]:
        # `hello` says when sample 0 was spoken, so it waits for the first samples; but
        # not long: the user who starts this waits for it.
        deadline = time.monotonic() + HELLO_WAIT
        items: list[Arrived] = []
        missing = set(self.streams)
        while missing and not self._stop.is_set() and not self._arrivals.ended:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            items += self._arrivals.take(remaining)
            missing.difference_update(stream for stream, _ in items)
        return items

    def _begin(self, first: Sequence[Arrived]) -> None:
        for stream in self.streams:
            came = any(
                of is stream and isinstance(item, Chunk | Skipped) for of, item in first
            )
            stream.announcer.begin(heard=came)

    def _wait_for_listeners(self) -> None:
        """A recording does not run ahead of what is learnt from it, live audio does."""
        for stream in self.streams:
            if stream.listener is None:
                continue
            while not self._abandoned and stream.listener.must_wait(HOLD_WAIT):
                self._beat()
                self.mailbox.do_all()
            # What was submitted last holds before the next step.
            self.mailbox.do_all()

    def _beat(self) -> None:
        self.streams[0].health.beats += 1

    @property
    def _abandoned(self) -> bool:
        return self._stop.is_set() or self.streams[0].announcer.abandoned

    def _take(self, arrived: Sequence[Arrived]) -> None:
        """Work on what has come: what of it may be computed together, is."""
        work: list[tuple[Stream, Chunk]] = []
        for stream, item in arrived:
            if isinstance(item, Chunk):
                work.append((stream, item))
            else:
                # Before it comes what came before it.
                self._compute(work)
                work = []
                self._alone(stream, partial(stream.tell, item))
        self._compute(work)

    def _compute(self, work: Sequence[tuple[Stream, Chunk]]) -> None:
        work = [(stream, chunk) for stream, chunk in work if not stream.broken]
        if not work:
            return
        if len(work) == 1:
            stream, chunk = work[0]
            self._alone(
                stream, lambda: stream.heard(chunk, stream.pipeline.feed(chunk))
            )
            return
        from ser_stream.daemon.computing import compute_each

        for stream, error in compute_each(work).items():
            self._fail(stream, error)

    def _alone(self, stream: Stream, do: Callable[[], None]) -> None:
        """Do something for one stream; if that fails, others must not notice."""
        try:
            do()
        except Exception as error:  # noqa: BLE001  whatever it is: told
            self._fail(stream, error)

    def _fail(self, stream: Stream, error: Exception) -> None:
        if len(self.streams) == 1:
            # There is nobody else: the program ends by it.
            raise error
        stream.fail(error)

    # From any thread: the devices.

    def pause(self, source: str | None = None) -> list[str]:
        """Release a device, or all that there are.

        Args:
            source: the name of its input; None for all.

        Returns:
            The names of what was released; of the only input, empty.

        Raises:
            ConfigError: if there is none, or it is no device.
        """
        return self._do(source, lambda feed: feed.device("paused").pause)

    def resume(self, source: str | None = None) -> list[str]:
        """Take them again; as `pause`."""
        return self._do(source, lambda feed: feed.device("resumed").resume)

    def _do(
        self, source: str | None, what: Callable[[Feed], Callable[[], None]]
    ) -> list[str]:
        feeds = [self._feed(source)] if source is not None else list(self.feeds)
        # Of several, those that can; one alone must.
        devices = [feed for feed in feeds if isinstance(feed.source, Device)]
        able = [feed for feed in devices if not feed.broken] or feeds[:1]
        for feed in able:
            self._arrivals.call(feed, what(feed))
        return [feed.name if len(self.streams) > 1 else "" for feed in able]

    def _feed(self, source: str) -> Feed:
        for feed in self.feeds:
            if source == feed.name:
                return feed
            if any(source == stream.name for stream in feed.streams):
                raise ConfigError(
                    f"{source} is a channel of {feed.name}, and they come and go "
                    f"together; allowed: {feed.name}"
                )
        raise self._unknown(source, [feed.name for feed in self.feeds])

    @staticmethod
    def _unknown(source: str, names: Sequence[str]) -> ConfigError:
        there = ", ".join(names)
        return ConfigError(f"there is no source {source!r}; there are: {there}")

    def streams_of(self, source: str | None = None) -> tuple[Stream, ...]:
        """The streams of an input, or the one of that name; None for all.

        Raises:
            ConfigError: if there is none.
        """
        if source is None:
            return self.streams
        for feed in self.feeds:
            if source == feed.name:
                return feed.streams
        found = tuple(stream for stream in self.streams if stream.name == source)
        if not found:
            raise self._unknown(source, [stream.name for stream in self.streams])
        return found

    def stream_of(self, source: str | None, say: str) -> Stream:
        """The one stream that is meant.

        Args:
            source: as `streams_of` has it.
            say: what to ask for, where there are several.

        Raises:
            ConfigError: if there is none, or not one alone.
        """
        streams = self.streams_of(source)
        if len(streams) > 1:
            names = ", ".join(stream.name for stream in streams)
            raise ConfigError(f"several are heard; {say}, by --source: {names}")
        return streams[0]

    # What is done between two steps; once it runs, only by the mailbox.

    @property
    def model(self) -> Model:
        """The active one, of all streams."""
        return self.streams[0].model

    def install(self, model: Model) -> None:
        """Go on with another model or configuration."""
        # What can fail comes first: then nothing has changed.
        pipelines = [stream.pipeline_of(model) for stream in self.streams]
        for stream, pipeline in zip(self.streams, pipelines, strict=True):
            stream.go_on_with(model, pipeline)
        self._say_due()

    def _say_due(self) -> None:
        for feed in self.feeds:
            feed.say_due(self.model)

    def know(self, model: Model, voice: KnownVoice | None) -> bool:
        """Go on with what is known of the voices; False if it is of another model."""
        if self.model.recognizer is not model.recognizer:
            return False
        self.model.known = voice
        for stream in self.streams:
            stream.know(voice)
        return True

    def reconfigure(self, config: PipelineConfig) -> None:
        """Go on with another configuration of the active model."""
        self.install(self.model.configured(config))

    def adapt(self, version: Model, phase: str, reason: str) -> None:
        """Go on with another version of the model, and tell why."""
        self.install(version.configured(self.model.config))
        for stream in self.streams:
            stream.announcer.adaptation(phase, reason, version.bundle.sha256)
            stream.announcer.hello()
