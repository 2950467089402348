"""The part of the daemon that adapts: stores windows, holds rounds, swaps, goes back.

Three threads. The worker's hands windows over and does not wait here. The adapter's own
stores them and watches for regression. Each round has one for itself, which starts its
child process and waits for it. What goes wrong in the last two leaves the audio alone.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from ser_stream.adaptation.child_process import RoundRunner
from ser_stream.adaptation.pack import Pack
from ser_stream.adaptation.reservoir import LEAST_WINDOWS, Reservoir
from ser_stream.adaptation.rounds import Round, Rounds
from ser_stream.adaptation.settings import EXPECT, AdaptConfig
from ser_stream.adaptation.versions.active import ActiveVersion, Install, Publish
from ser_stream.adaptation.versions.store import Store, windows_of_others
from ser_stream.adaptation.window_queue import WindowQueue
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.pipeline.pipeline import HEARD_EVERY_S
from ser_stream.pipeline.values import SpeechWindow

_LOGGER = logging.getLogger(__name__)
MOST_BACK_OFF = 8
"""So many times as much new speech as asked for, after rounds that led to nothing."""
END_WAIT = 10.0
"""Seconds for the adapter's thread to end."""


class Adapter:
    """Fits the model to its speakers, and guards it against harm.

    Every method may be called from any thread.
    """

    def __init__(
        self,
        settings: AdaptConfig,
        store: Store,
        pack: Pack,
        *,
        install: Install,
        publish: Publish,
        live: bool,
        runner: RoundRunner | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Store and pack are of the model that the daemon was started with; `live` is
        whether audio comes by the clock. If not, it waits for rounds.
        """
        self._settings = settings
        self._store = store
        self._live = live
        self._failed = ""
        self._inbox = WindowQueue(live, store.base.geometry)
        self._keeping = threading.Lock()
        self._oldest = 0
        self._reservoir = self._remembered()
        self._active = ActiveVersion(store, install, publish)
        self._rounds = Rounds(
            self._active,
            pack,
            self._reservoir,
            scope=settings.scope,
            runner=runner or RoundRunner(),
            guard=self._safely,
            keep=self._save,
            wake=self._inbox.wake,
        )
        self._thread = threading.Thread(
            target=self._work, name="adaptation", daemon=True
        )

    def _remembered(self) -> Reservoir:
        path = self._store.reservoir_path
        base, capacity = self._store.base, self._settings.capacity
        n = len(base.labels)
        try:
            if self._settings.keep_speech:
                return Reservoir.load(path, n, capacity, base.geometry)
            # It was asked for once, and is not any more.
            for left in (path, *windows_of_others(self._store.folder)):
                left.unlink(missing_ok=True)
        except (SerStreamError, OSError) as error:
            _LOGGER.warning("adaptation begins with no stored windows: %s", error)
        return Reservoir(n, capacity)

    def start(self) -> None:
        _LOGGER.info("adapts; %s", EXPECT)
        self._thread.start()

    def close(self) -> None:
        """Kill the round that runs, save; the worker has ended by now."""
        if self._inbox.closed:
            return
        self._inbox.close()
        self._rounds.close("the daemon ended")
        if self._thread.is_alive():
            self._thread.join(END_WAIT)
        self._save()
        self._catch_up()

    # The audio's thread.

    def add_window(self, window: SpeechWindow) -> None:
        """Take a window in; waits for nothing."""
        if not self._failed:
            self._inbox.put(self._active.number, window)

    def must_wait(self, timeout: float) -> bool:
        """Whether a recording still has to wait, after at most `timeout` seconds.

        So that the same recording meets the same versions every time. Live audio never
        waits.
        """
        if self._live or self._failed or not self._thread.is_alive():
            return False
        return not self._inbox.wait_idle(timeout, lambda: self._rounds.running is None)

    # The adapter's thread.

    def _work(self) -> None:
        self._safely(self._begin_watch)
        while (item := self._inbox.next()) is not None:
            self._safely(partial(self._take, *item))

    def _begin_watch(self) -> None:
        with self._rounds.changing:
            self._active.begin_watch()

    def _safely(self, work: Callable[[], None]) -> None:
        """Nothing that adaptation does wrong may end the daemon."""
        try:
            work()
        except SerStreamError as error:
            # A full disk, say, which may have room again later.
            _LOGGER.warning("adaptation: %s", error)
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            _LOGGER.error("adaptation has stopped, the daemon goes on: %s", text)
            _LOGGER.debug("adaptation has stopped", exc_info=error)
            self._failed = text
            self._inbox.clear()

    def _take(self, version: int, window: SpeechWindow) -> None:
        with self._keeping:
            if version < self._oldest:
                return
            self._reservoir.add(window)
        self._catch_up()
        # Also when frozen: that forbids change, and should not preserve harm.
        self._look_back(version, window)
        if not self._store.frozen:
            self._look_ahead()

    def _catch_up(self) -> None:
        # Why it could not be stored was told then.
        with suppress(ConfigError):
            if self._store.catch_up():
                _LOGGER.info("what could not be stored before is stored now")

    def _look_back(self, version: int, window: SpeechWindow) -> None:
        """Go back if the active version turned out worse than the one before."""
        watch = self._active.watch
        # A window that the version before scored says nothing of this one.
        if watch is None or version != self._active.number:
            return
        watch.feed(window)
        if reason := watch.verdict():
            with self._rounds.alone("the version it began from does harm"):
                if watch is self._active.watch:
                    self._active.revert(reason)
                    self._rounds.failures += 1
                    self._reservoir.mark()

    def _look_ahead(self) -> None:
        if self._new_s < self._next_s or len(self._reservoir) < LEAST_WINDOWS:
            return
        with self._rounds.changing:
            if self._rounds.running is None and not self._store.frozen:
                self._rounds.begin()

    @property
    def _new_s(self) -> float:
        return self._reservoir.windows_since_mark * HEARD_EVERY_S

    @property
    def _next_s(self) -> float:
        """New speech that the next round waits for; more after some in vain."""
        back_off = min(MOST_BACK_OFF, 1 << max(0, min(self._rounds.failures, 10) - 1))
        return self._settings.every_s * back_off

    def _save(self) -> None:
        if not self._settings.keep_speech:
            return
        try:
            self._reservoir.save(self._store.reservoir_path)
        except OSError as error:
            _LOGGER.warning("the stored windows are not saved: %s", error.strerror)

    # What the operator asks for.

    def status(self) -> dict[str, Any]:
        """How adaptation stands; waits for nothing."""
        store, this, watch = self._store, self._rounds.running, self._active.watch
        bundle, history = self._active.bundle, store.history
        return {
            "state": self._state(this),
            "detail": self._failed,
            "base": {"name": store.base.name, "sha256": store.base.sha256},
            "bundle": bundle.sha256,
            "adapted": bundle.adapted,
            "frozen": store.frozen,
            "scope": self._settings.scope,
            "reservoir": self._kept(),
            "new_speech_s": self._new_s,
            "every_s": self._next_s,
            "round": None if this is None else this.status(),
            "rounds": {
                phase: sum(entry.phase == phase for entry in history)
                for phase in ("accepted", "rejected", "rolled_back")
            },
            "last": history[-1].to_dict() if history else None,
            "watch": None if watch is None else watch.status(),
            "folder": str(store.folder.absolute()),
        }

    def _state(self, this: Round | None) -> str:
        if self._failed:
            return "failed"
        if self._store.frozen:
            return "frozen"
        return "waiting" if this is None else "round"

    def _kept(self) -> dict[str, Any]:
        labels, shares = self._store.base.labels, self._reservoir.class_shares()
        return {
            "windows": len(self._reservoir),
            "capacity": self._reservoir.capacity,
            "heard": self._reservoir.n_added,
            "dropped": self._inbox.dropped,
            "shares": {
                label: round(float(share), 3)
                for label, share in zip(labels, shares, strict=True)
            },
        }

    def history(self) -> list[dict[str, Any]]:
        return [entry.to_dict() for entry in self._store.history]

    def now(self) -> dict[str, Any]:
        """Begin a round, however little of the speech is new.

        Raises:
            ConfigError: if it cannot be.
        """
        with self._rounds.changing:
            n = len(self._reservoir)
            if self._failed:
                raise ConfigError(
                    f"adaptation has stopped: {self._failed}; restart the daemon"
                )
            if self._store.frozen:
                raise ConfigError(
                    "adaptation is frozen; `ser-stream adapt freeze --off` ends that"
                )
            if (running := self._rounds.running) is not None:
                raise ConfigError(f"round {running.number} runs; wait for its verdict")
            if n < LEAST_WINDOWS:
                raise ConfigError(
                    f"too little speech: {n * HEARD_EVERY_S:.0f} s are kept, and a "
                    f"round needs {LEAST_WINDOWS * HEARD_EVERY_S:.0f}; try again later"
                )
            this = self._rounds.begin()
            return {"started": True, "round": this.number, "windows": n}

    def freeze(self, frozen: bool) -> dict[str, Any]:
        """Keep the active version, or adapt again.

        Raises:
            ConfigError: if that cannot be remembered; nothing has changed then.
        """
        with self._rounds.alone("adaptation was frozen") if frozen else nullcontext():
            self._store.freeze(frozen)
        return {"frozen": frozen}

    def rollback(self) -> dict[str, Any]:
        """Go back to the version before the active one.

        Raises:
            ConfigError: if there is none, or it cannot be.
        """
        if self._active.bundle.sha256 == self._store.base.sha256:
            raise ConfigError(
                f"{self._store.base.name} is active as it came; there is nothing to "
                "roll back"
            )
        with self._rounds.alone("the version it began from was rolled back"):
            entry = self._active.roll_back("asked for")
            self._reservoir.mark()
            return entry.to_dict()

    def reset(self) -> dict[str, Any]:
        """Erase the versions and the stored windows.

        Raises:
            ConfigError: if the folder cannot be written.
        """
        with self._rounds.alone("everything was reset"):
            with self._keeping:
                # Also what is on its way, and what the next windows have of it.
                self._active.number += 1
                self._oldest = self._active.number
                self._inbox.forget()
                self._reservoir.clear()
            entry = self._active.reset()
            self._rounds.failures = 0
            return entry.to_dict()
