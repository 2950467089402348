"""What the control socket can ask for: status, pause, reload, adapt.now and so on."""

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ser_stream import __version__
from ser_stream.adaptation import requests
from ser_stream.config import ListenConfig, Settings
from ser_stream.config.for_model import (
    configured_bundle,
    stream_config,
    tell_terms,
)
from ser_stream.daemon.pause_state import PausedState
from ser_stream.daemon.speakers import SpeakerRequests
from ser_stream.daemon.voices import VoiceRequests
from ser_stream.daemon.watchdog import status_text
from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.metrics.health import Health, latency_ms, together
from ser_stream.model import Model
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.values import SAMPLE_RATE, AudioState
from ser_stream.protocol.commands import COMMANDS
from ser_stream.service.memory import resident_bytes
from ser_stream.service.notify import Notifier
from ser_stream.sinks import LinkState
from ser_stream.sinks.command import check_command

if TYPE_CHECKING:  # most daemons do not adapt, and need not load what would
    from ser_stream.adaptation.adapter import Adapter

_LOGGER = logging.getLogger(__name__)
Answer = dict[str, Any]
SOURCES_BYTES = 10_000
"""Of the answer to `status`, for its sources: a line has 16 KiB in all."""


class Control:
    """Carries out what the operator asks for; every method may be called anywhere."""

    def __init__(
        self,
        worker: Worker,
        settings: Settings,
        bundle: Bundle,
        *,
        adapter: "Adapter | None",
        paused: PausedState | None,
        subscribers: Callable[[], Mapping[str, int]],
        links: Callable[[], Sequence[LinkState]] = list,
        on_reload: Callable[[ListenConfig], None],
        notifier: Notifier,
    ) -> None:
        """Take charge of a worker, started with `settings` and their `bundle`."""
        self._worker = worker
        self._settings = self._started = settings
        self._bundle = bundle
        self._adapter = adapter
        self._paused = paused
        self._subscribers = subscribers
        self._links = links
        self._on_reload = on_reload
        self._notifier = notifier
        self._reloading = threading.Lock()
        self._pausing = threading.Lock()
        self._speakers = SpeakerRequests(worker, lambda: self._settings.config.speakers)
        self._voices = VoiceRequests(worker)
        self._handlers: dict[str, Callable[..., Answer]] = {
            "status": self.status,
            "pause": self.pause,
            "resume": self.resume,
            "reload": self.reload,
            **self._speakers.handlers,
            **self._voices.handlers,
        }

    @property
    def settings(self) -> Settings:
        """Those that hold, after every reload."""
        return self._settings

    async def __call__(self, do: str, fields: Mapping[str, Any]) -> Answer:
        """Carry out a request of the protocol, off the loop that asks for it.

        Args:
            do: name of the command.
            fields: of the request; those of the command are handed on.

        Raises:
            SerStreamError: if it is refused; nothing has changed then.
        """
        command = COMMANDS[do]
        if not command.adapts:
            handler = self._handlers[do]
            given = {name: fields[name] for name in command.fields}
            given |= {name: fields.get(name) for name in command.optional}
            # At once: it is asked for where all else hangs.
            if do == "status":
                return handler(**given)
            return await asyncio.to_thread(handler, **given)
        if self._adapter is None and self._started.config.adapt.enabled:
            raise SerStreamError(
                "adaptation is off until a restart: its folder could not be written "
                "when the daemon started; its log says why"
            )
        if self._adapter is None:
            raise SerStreamError(
                "this daemon does not adapt; start it with ser-stream listen --adapt, "
                "or set adapt.enabled"
            )
        return await asyncio.to_thread(requests.HANDLERS[do], self._adapter)

    def status(self, source: str | None = None) -> Answer:
        """How the daemon is, as `ser-stream status` shows it.

        Args:
            source: the name of one to tell of, of several; None for all.

        Raises:
            ConfigError: if there is no such source.
        """
        streams = self._worker.streams_of(source)
        named = {stream.name: stream.health for stream in streams}
        health = together(named)
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(health.uptime_s, 1),
            "audio": _audio(health),
            "paused": health.paused,
            "degraded": health.degraded,
            **_sources(named),
            "model": {
                "name": health.model,
                "sha256": health.model_sha256,
                "adapted": health.adapted,
            },
            "adaptation": None if self._adapter is None else self._adapter.status(),
            **_figures(health, named.values()),
            "subscribers": dict(self._subscribers()),
            "brokers": [link._asdict() for link in self._links()],
            "rss_mb": round(resident_bytes() / 1e6, 1),
            "config": None if self._settings.file is None else str(self._settings.file),
        }

    def pause(self, source: str | None = None) -> Answer:
        """Release the microphone, and remember that over a restart.

        Args:
            source: the name of one, of several; None for all microphones.

        Raises:
            ConfigError: if there is no such microphone.
        """
        with self._pausing:
            names = self._worker.pause(source)
            return {"paused": True, **_named(names), **self._remember(True, names)}

    def resume(self, source: str | None = None) -> Answer:
        with self._pausing:
            names = self._worker.resume(source)
            return {"paused": False, **_named(names), **self._remember(False, names)}

    def _remember(self, paused: bool, names: Sequence[str]) -> Answer:
        if self._paused is None:
            return {"remembered": False}
        try:
            for name in names:
                self._paused.write(paused, name)
        except OSError as error:
            _LOGGER.warning("that is not remembered over a restart: %s", error)
            return {"remembered": False}
        return {"remembered": True}

    def reload(self) -> Answer:
        """Read the configuration again, load its model, and go on with both.

        The active version of an adapted model stays; another model is refused.

        Raises:
            SerStreamError: if either is bad; the old ones stay.
        """
        with self._reloading:
            self._notifier.reloading()
            try:
                return self._reload()
            except SerStreamError as error:
                detail = str(error)
                _LOGGER.warning("reload refused, everything stays: %s", detail)
                self._worker.mailbox.submit(
                    lambda: self._say("refused", detail, hello=False)
                )
                raise
            finally:
                if self._worker.health.known:
                    self._notifier.ready(status_text(self._worker.health))

    def reload_and_log(self) -> None:
        """The same by a signal: the answer goes to the log."""
        with contextlib.suppress(SerStreamError):
            self.reload()

    def _reload(self) -> Answer:
        settings = self._settings.reload()
        bundle = configured_bundle(settings)
        another = bundle.sha256 != self._bundle.sha256
        if another and self._adapter is not None:
            raise ConfigError(
                f"this daemon adapts model {_which(self._bundle)}, and the one that is "
                f"configured now is {_which(bundle)}; only a restart brings it"
            )
        pipeline = settings.located(lambda config: stream_config(config, bundle))
        changed = [c.name for c in self._settings.changes(settings) if c.live]
        restart = [
            c.name
            for c in self._started.changes(settings)
            # What is for `ser-stream serve` alone, no restart brings here.
            if not (c.live or c.name.startswith("serve."))
        ]
        # What `hello` says of them has changed.
        told = [(one.name, one.licence) for one in (bundle, self._bundle)]
        other_terms = another or told[0] != told[1]
        hello = other_terms or not {"step", "window"}.isdisjoint(changed)
        # What can still refuse comes first, so that nothing is half done.
        settings.located(lambda config: check_command(config.command))
        detail = f"model {bundle.name}, " + (
            f"changed: {', '.join(changed)}" if changed else "no setting changed"
        )
        if restart:
            detail += f"; only a restart brings: {', '.join(restart)}"

        # The same network goes on with what it knows of room and voice.
        model = None
        if other_terms and self._adapter is None:
            model = Model(bundle, pipeline)

        def go_on() -> None:
            if model is None:
                self._worker.reconfigure(pipeline)
            else:
                self._worker.install(model)
            # At once, so that it stands where the steps change.
            self._say("reloaded", detail, hello=hello)

        self._worker.mailbox.call(go_on)
        self._on_reload(settings.config)
        self._settings, self._bundle = settings, bundle
        self._speakers.refresh()
        self._voices.refresh()
        _LOGGER.info("reloaded: %s", detail)
        if other_terms:
            tell_terms(bundle)
        return {"model": bundle.name, "changed": changed, "needs_restart": restart}

    def _say(self, state: str, detail: str, *, hello: bool) -> None:
        """Tell it in all streams; in the worker's thread, between two steps."""
        for stream in self._worker.streams:
            if stream.health.audio is not AudioState.ENDED:
                stream.announcer.reload(state, detail, hello=hello)


def _audio(health: Health) -> Answer:
    return {
        "state": health.audio.value,
        "detail": health.detail,
        "device": health.device,
        "heard_s": round(health.end / SAMPLE_RATE, 1),
        "overflows": health.overflows,
        "gaps": health.gaps,
        "lost_s": round(health.lost_samples / SAMPLE_RATE, 3),
    }


def _figures(health: Health, each: Iterable[Health]) -> Answer:
    return {
        "steps": health.steps,
        "skipped": health.skipped,
        "emotions": health.emotions,
        # A copy of each: steps are added meanwhile.
        "latency_ms": latency_ms(
            latency for health in each for latency in list(health.latencies)
        ),
    }


def _named(names: Sequence[str]) -> Answer:
    """Of a daemon that hears several, which."""
    return {"sources": [*names]} if any(names) else {}


def _sources(named: Mapping[str, Health]) -> Answer:
    """An entry for each, as far as there is room in the line for them."""
    entries: list[Answer] = []
    room = SOURCES_BYTES
    for name, health in named.items():
        paused, degraded = health.paused, health.degraded
        entry = {"name": name, "paused": paused, "degraded": degraded}
        entry |= {"audio": _audio(health), **_figures(health, [health])}
        room -= len(json.dumps(entry, ensure_ascii=False).encode(errors="replace"))
        if room < 0:
            break
        entries.append(entry)
    return {"sources": entries, "more_sources": len(named) - len(entries)}


def _which(bundle: Bundle) -> str:
    return f"{bundle.name} ({bundle.sha256[:12]})"
