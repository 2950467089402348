"""The running program put together: source, worker, sinks, control, systemd."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from ser_stream.adaptation.adapter import Adapter
from ser_stream.adaptation.libraries import require_libraries
from ser_stream.adaptation.versions.store import Store, adaptation_folder
from ser_stream.config import ListenConfig, Settings
from ser_stream.config.for_model import (
    configured_bundle,
    configured_pack,
    pipeline_config,
)
from ser_stream.config.layers import DEFAULT
from ser_stream.daemon.control import Control
from ser_stream.daemon.pause_state import PausedState
from ser_stream.daemon.watchdog import Supervision
from ser_stream.daemon.worker import Worker
from ser_stream.errors import SerStreamError, SinkError
from ser_stream.metrics import Metrics
from ser_stream.metrics.health import Health
from ser_stream.paths import default_socket, user_path
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.protocol.access_token import read_token
from ser_stream.protocol.address import Address, parse
from ser_stream.service.activation import inherited_sockets
from ser_stream.service.notify import Notifier
from ser_stream.sinks import Sink
from ser_stream.sinks.command import CommandSink
from ser_stream.sinks.sockets.server import SocketServer
from ser_stream.sinks.stdout import Renderer, StdoutSink
from ser_stream.sources import open_source

_LOGGER = logging.getLogger(__name__)
START_WAIT = 5.0
"""Seconds that a request may wait for the model and the device; sockets come first."""


class Daemon:
    """Everything `listen` runs; a context manager that frees what it opened.

    Sockets are bound before the device is opened: an address that cannot be used is
    found out at once, and subscribers wait for the device rather than it for them.
    """

    def __init__(self, settings: Settings, render: Renderer) -> None:
        """Bind the addresses, open the source, load the model.

        Raises:
            SerStreamError: for everything that the user can mend.
        """
        self._settings = settings
        config = settings.config
        bundle = configured_bundle(settings)
        pipeline = settings.located(lambda config: pipeline_config(config, bundle))
        # Asks the environment, which the next line empties of what it asks for.
        waits = config.waits
        self._control: Control | None = None
        self._stdout: StdoutSink | None = None
        self._server: SocketServer | None = None
        self._notifier = Notifier.from_environment()
        addresses = self._addresses(settings)
        self._is_service = self._notifier.enabled or any(
            address.kind != "stdout" for address in addresses
        )
        if self._is_service:
            # Not before it can be obeyed: until then it would end the program.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.health = Health()
        with ExitStack() as stack:
            if any(a.kind == "stdout" for a in addresses):
                # Audio that comes by the clock must not wait for whoever reads.
                self._stdout = StdoutSink(
                    render, live=config.source.paced, alone=len(addresses) == 1
                )
                stack.callback(self._stdout.close)
            self._open_hub(config, addresses, stack)
            self._command = settings.located(
                lambda config: CommandSink(config.command, config.on_emotion_every_s)
            )
            stack.callback(self._command.close)
            observe = self._open_metrics(config, stack)
            paused = self._remembered()
            source = replace(
                config.source,
                wait=waits,
                paused=paused is not None and paused.read(),
            )
            sinks: list[Sink] = [
                s for s in (self._stdout, self._server, self._command) if s is not None
            ]
            self._adapter, in_force = self._open_adapter(config, bundle, stack)
            self._worker = Worker(
                stack.enter_context(open_source(source)),
                in_force,
                pipeline,
                sinks,
                self.health,
                observe,
                None if self._adapter is None else self._adapter.hear,
                None if self._adapter is None else self._adapter.must_wait,
            )
            self._control = Control(
                self._worker,
                settings,
                bundle,
                adapter=self._adapter,
                paused=paused,
                subscribers=self._subscribers,
                on_reload=self._reloaded,
                notifier=self._notifier,
            )
            self._stack = stack.pop_all()

    def _addresses(self, settings: Settings) -> list[Address]:
        if settings["to"].origin == DEFAULT and self._notifier.enabled:
            # A service's standard output is the log, which nobody subscribes to.
            return [parse(f"unix://{default_socket()}")]
        return [parse(uri) for uri in settings.config.to]

    def _open_hub(
        self, config: ListenConfig, addresses: list[Address], stack: ExitStack
    ) -> None:
        inherited = inherited_sockets()
        sockets = [a for a in addresses if a.kind != "stdout"]
        if not sockets and not inherited:
            return
        self._server = SocketServer(
            self._answer,
            live=config.source.paced,
            token=self._settings.located(lambda c: read_token(c.token_file)),
            origins=config.allow_origin,
            max_subscribers=config.max_subscribers,
        )
        stack.callback(self._server.close)
        self._server.open(sockets, inherited)
        _LOGGER.info("listening on %s", ", ".join(map(str, self._server.addresses)))

    def _open_metrics(
        self, config: ListenConfig, stack: ExitStack
    ) -> Callable[[float], None] | None:
        if config.metrics is None:
            return None
        metrics = Metrics.start(
            config.metrics,
            self.health,
            self._subscribers,
            lambda: 0 if self._server is None else self._server.dropped,
        )
        stack.callback(metrics.close)
        return metrics.observe

    def _open_adapter(
        self, config: ListenConfig, bundle: Bundle, stack: ExitStack
    ) -> tuple[Adapter | None, Bundle]:
        """What adapts, if that is asked for, and the version to begin with."""
        adapt = config.adapt
        if not adapt.enabled:
            return None, bundle
        require_libraries()
        pack = configured_pack(config, bundle)
        state = None if adapt.state is None else user_path(adapt.state)
        store = stack.enter_context(
            Store.open(adaptation_folder(bundle, state), bundle)
        )
        adapter = Adapter(
            adapt,
            store,
            pack,
            install=self._install,
            publish=self._tell_adaptation,
            live=config.source.paced,
        )
        stack.callback(adapter.close)
        return adapter, store.current or bundle

    def _install(self, bundle: Bundle, phase: str, reason: str) -> None:
        recognizer = OnnxRecognizer(bundle)
        self._worker.call(lambda: self._worker.adapt(bundle, recognizer, phase, reason))

    def _tell_adaptation(self, phase: str, reason: str, bundle_sha256: str) -> None:
        self._worker.submit(
            lambda: self._worker.tell_adaptation(phase, reason, bundle_sha256)
        )

    def _remembered(self) -> PausedState | None:
        """What a restart is to remember; None where nobody can ask for a pause."""
        addresses = [] if self._server is None else self._server.addresses
        paths = [address.path for address in addresses if address.kind == "unix"]
        return PausedState(Path(paths[0])) if paths else None

    def _subscribers(self) -> Mapping[str, int]:
        return {} if self._server is None else self._server.subscribers

    async def _answer(self, do: str) -> dict[str, Any]:
        deadline = time.monotonic() + START_WAIT
        while self._control is None:
            if time.monotonic() > deadline:
                raise SerStreamError("the daemon is still starting; try again")
            await asyncio.sleep(0.05)
        return await self._control(do)

    def _reloaded(self, config: ListenConfig) -> None:
        self._command.reconfigure(config.command, config.on_emotion_every_s)

    def run(self) -> None:
        """Hear until the input ends, a signal comes, or nobody reads any more.

        Raises:
            SerStreamError: if the input or standard output fails.
        """

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._worker.stop()
            if self._stdout is not None:
                self._stdout.stop_waiting()
            if self._server is not None:
                self._server.stop_waiting()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        if self._is_service:
            # Without a socket it is a program in a terminal, which ends with that.
            signal.signal(signal.SIGHUP, self._reload)
        if self._adapter is not None:
            self._adapter.start()
        with Supervision(self._notifier, self.health):
            try:
                self._worker.run()
            finally:
                if self._adapter is not None:
                    # At once: standard output may take long to be written out.
                    self._adapter.close()
        self._close_stdout()

    def _reload(self, _signal: int, _frame: FrameType | None) -> None:
        assert self._control is not None
        # Loading a model takes long, and this is the worker's thread.
        threading.Thread(target=self._control.reload_and_log, daemon=True).start()

    def _close_stdout(self) -> None:
        if self._stdout is None:
            return
        self._stdout.close()
        if self._stdout.error is not None and self._server is None:
            raise SinkError(f"standard output: {self._stdout.error.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
