"""The running program put together: source, worker, sinks, control, systemd."""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from ser_stream.adaptation.libraries import require_libraries
from ser_stream.config import ListenConfig, Settings
from ser_stream.config.for_model import (
    configured_bundle,
    configured_pack,
    stream_config,
    tell_terms,
)
from ser_stream.config.layers import DEFAULT
from ser_stream.daemon.announcer import Announcer
from ser_stream.daemon.feed import Feed
from ser_stream.daemon.open_feeds import open_inputs
from ser_stream.daemon.pause_state import PausedState
from ser_stream.daemon.speakers import voice_of
from ser_stream.daemon.stream import Stream
from ser_stream.daemon.voices import know_kept
from ser_stream.daemon.watchdog import Watchdog
from ser_stream.daemon.worker import Worker
from ser_stream.errors import SerStreamError
from ser_stream.metrics import Metrics
from ser_stream.metrics.health import Health
from ser_stream.model import Model
from ser_stream.paths import default_socket, user_path
from ser_stream.pipeline.bundle import Bundle
from ser_stream.protocol.access_token import read_token
from ser_stream.service.systemd import Systemd
from ser_stream.sinks import (
    LinkState,
    Publisher,
    Server,
    Sink,
    SinkOptions,
    open_sinks,
)
from ser_stream.sinks.command import CommandSink
from ser_stream.sources import Source, damage_of

if TYPE_CHECKING:  # imported where the daemon adapts, or can be controlled
    from ser_stream.adaptation.adapter import Adapter
    from ser_stream.daemon.control import Control

_LOGGER = logging.getLogger(__name__)
START_WAIT = 5.0
"""Seconds that a request may wait for the model and the device; sockets come first."""


class Daemon:
    """Everything `listen` runs; a context manager that frees what it opened.

    Sockets are bound before the device is opened: an address that cannot be used is
    found out at once, and subscribers wait for the device rather than it for them.
    """

    def __init__(self, settings: Settings, systemd: Systemd) -> None:
        """Bind the addresses, open the source, load the model.

        Raises:
            SerStreamError: for everything that the user can mend.
        """
        self._settings = settings
        self._systemd = systemd
        self._control: Control | None = None
        self._started: Future[Control] = Future()
        config = settings.config
        bundle = configured_bundle(settings)
        pipeline = settings.located(lambda config: stream_config(config, bundle))
        with ExitStack() as stack:
            # Not before it can be obeyed: until then it would end a service.
            before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
            restored = stack.enter_context(ExitStack())
            restored.callback(signal.signal, signal.SIGHUP, before)
            self._sinks = self._open_sinks(config)
            for sink in self._sinks:
                stack.callback(sink.close)
            self._servers = [sink for sink in self._sinks if isinstance(sink, Server)]
            self._publishers = [s for s in self._sinks if isinstance(s, Publisher)]
            # Others can hear of it, so it does not belong to a terminal alone.
            outputs = bool(self._servers or self._publishers)
            self._is_service = outputs or self._systemd.notifier.enabled
            if self._is_service:
                restored.pop_all()
            else:
                restored.close()
            self._command = settings.located(
                lambda config: CommandSink(config.command, config.on_emotion_every_s)
            )
            self._sinks.append(self._command)
            stack.callback(self._command.close)
            # Of each stream; without a name where there is only one.
            healths = {} if config.several else {"": Health()}
            metrics = self._open_metrics(config, healths, stack)
            remembered = self._remembered()

            def told(name: str) -> str:
                return name if config.several else ""

            devices = [
                told(n) for n, one in config.sources.items() if one.is_microphone
            ]
            # Nothing else can be paused.
            were_paused = remembered.read(devices) if remembered and devices else ()
            wait = config.waits(service=self._is_service)
            wanted = {
                name: replace(source, wait=wait, paused=told(name) in were_paused)
                for name, source in config.sources.items()
            }
            self._adapter, active = self._open_adapter(config, bundle, stack)
            opened = open_inputs(wanted, stack)
            model = Model(active, pipeline)
            model.known = voice_of(model, config.speakers)

            def begun(source: Source, name: str) -> Stream:
                called = told(name)
                health = healths.setdefault(called, Health())
                observe = None if metrics is None else metrics.observer(called)
                announcer = Announcer(source, self._sinks, health, observe, called)
                return Stream(name, model, announcer, self._adapter)

            self._worker = Worker(
                [
                    Feed(
                        one.name,
                        one.source,
                        tuple(begun(one.source, name) for name in one.streams),
                    )
                    for one in opened
                ]
            )
            know_kept(self._worker)
            if self._is_service:
                control = self._control = self._open_control(bundle, remembered)
                # Not before the worker has looked at the source: `status` tells of it.
                self._worker.mailbox.submit(lambda: self._started.set_result(control))
            self._stack = stack.pop_all()
        tell_terms(bundle)

    def _open_sinks(self, config: ListenConfig) -> list[Sink]:
        uris = config.to
        if self._settings["to"].origin == DEFAULT and self._systemd.notifier.enabled:
            # A service's standard output is the log: no place for events.
            uris = (f"unix://{default_socket()}",)
        options = SinkOptions(
            format=config.format,
            # Audio that comes by the clock must not wait for readers.
            live=config.paced,
            control=self._answer,
            token=lambda: self._settings.located(lambda c: read_token(c.token_file)),
            origins=config.allow_origin,
            max_subscribers=config.max_subscribers,
            trust_network=config.trust_network,
            broker=config.broker,
            password=lambda: self._settings.located(lambda c: c.broker.password()),
            inherited=self._systemd.sockets,
        )
        return open_sinks(uris, options)

    def _open_control(self, bundle: Bundle, paused: PausedState | None) -> "Control":
        from ser_stream.daemon.control import Control

        return Control(
            self._worker,
            self._settings,
            bundle,
            adapter=self._adapter,
            paused=paused,
            subscribers=self._subscribers,
            links=self._links,
            on_reload=lambda config: self._command.reconfigure(
                config.command, config.on_emotion_every_s
            ),
            notifier=self._systemd.notifier,
        )

    def _open_metrics(
        self, config: ListenConfig, healths: Mapping[str, Health], stack: ExitStack
    ) -> Metrics | None:
        if config.metrics is None:
            return None
        metrics = Metrics.start(
            config.metrics,
            healths,
            self._subscribers,
            lambda: sum(server.dropped for server in self._servers),
            self._links,
            by_source=config.several,
            trusted=config.trust_network,
        )
        stack.callback(metrics.close)
        return metrics

    def _open_adapter(
        self, config: ListenConfig, bundle: Bundle, stack: ExitStack
    ) -> "tuple[Adapter | None, Bundle]":
        """What adapts, if that is asked for, and the version to begin with."""
        adapt = config.adapt
        if not adapt.enabled:
            return None, bundle
        require_libraries()
        from ser_stream.adaptation.adapter import Adapter
        from ser_stream.adaptation.versions.state_file import UnwritableError
        from ser_stream.adaptation.versions.store import Store, adaptation_folder

        pack = configured_pack(config, bundle)
        state = None if adapt.state is None else user_path(adapt.state)
        try:
            store = Store.open(adaptation_folder(bundle, state), bundle)
        except UnwritableError as error:
            # The disk may be mended later; recognition does not need it.
            _LOGGER.warning(
                "adaptation is off until a restart, and model %s runs as it came: %s",
                *(bundle.name, error),
            )
            return None, bundle
        stack.enter_context(store)
        adapter = Adapter(
            adapt,
            store,
            pack,
            install=self._install,
            publish=self._tell_adaptation,
            live=config.paced,
        )
        stack.callback(adapter.close)
        return adapter, store.current or bundle

    def _install(self, bundle: Bundle, phase: str, reason: str) -> None:
        version = Model(bundle)
        control = self._control
        settings = self._settings if control is None else control.settings
        version.known = voice_of(version, settings.config.speakers)
        self._worker.mailbox.call(lambda: self._worker.adapt(version, phase, reason))

    def _tell_adaptation(self, phase: str, reason: str, bundle_sha256: str) -> None:
        announcer = self._worker.streams[0].announcer
        self._worker.mailbox.submit(
            lambda: announcer.adaptation(phase, reason, bundle_sha256)
        )

    def _remembered(self) -> PausedState | None:
        """What a restart is to remember; None where no control request can come."""
        paths = [
            address.path
            for server in self._servers
            for address in server.addresses
            if address.kind == "unix"
        ]
        return PausedState(Path(paths[0])) if paths else None

    def _subscribers(self) -> Counter[str]:
        counts = Counter[str]()
        for server in self._servers:
            counts.update(server.subscribers)
        return counts

    def _links(self) -> list[LinkState]:
        return [link for sink in self._publishers for link in sink.links]

    async def _answer(self, do: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        import asyncio  # only where there is a socket, which has loaded it

        starting = asyncio.shield(asyncio.wrap_future(self._started))
        try:
            control = await asyncio.wait_for(starting, START_WAIT)
        except TimeoutError:
            raise SerStreamError("the daemon is still starting; try again") from None
        return await control(do, fields)

    def run(self) -> bool:
        """Run until the input ends, a signal comes, or the reader leaves.

        Returns:
            Whether all of the input was heard; what was not, the log has told.

        Raises:
            SerStreamError: if the input or standard output fails.
        """

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._worker.stop()
            for sink in self._sinks:
                sink.stop_waiting()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        if self._is_service:
            signal.signal(signal.SIGHUP, self._reload)
        elif signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            # Of a terminal that is closed; `nohup` has it ignored.
            signal.signal(signal.SIGHUP, stop)
        if self._adapter is not None:
            self._adapter.start()
        with Watchdog(self._systemd.notifier, lambda: self._worker.health):
            try:
                self._worker.run()
            finally:
                if self._adapter is not None:
                    # At once: standard output may take long to be written out.
                    self._adapter.close()
        # Before all else what has no subscribers to wait for: it may have failed.
        for sink in self._sinks:
            if sink is not self._command and sink not in self._servers:
                sink.close()
                if sink.error is not None:
                    raise sink.error
        failed = any(stream.health.failed for stream in self._worker.streams)
        sources = (feed.source for feed in self._worker.feeds)
        damaged = any(damage_of(source) for source in sources)
        return not (failed or damaged)

    def _reload(self, _signal: int, _frame: FrameType | None) -> None:
        assert self._control is not None
        # Loading a model takes long, and this is the worker's thread.
        threading.Thread(target=self._control.reload_and_log, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
