"""Tells systemd how the daemon is, and feeds its watchdog while work goes on."""

import threading
from collections.abc import Callable
from typing import Self

from ser_stream.metrics.health import Health
from ser_stream.pipeline.values import AudioState
from ser_stream.service.notify import Notifier

LOOK_S = 0.5
"""Seconds between two looks; less where the watchdog wants it."""


class Watchdog:
    """A small thread beside the worker; only under systemd.

    READY is said once sockets listen and audio flows, or the device is known to be
    absent or paused. The watchdog is fed by the rounds of the worker's loop, so that
    paused, lost and idle survive, and a worker that hangs does not.
    """

    def __init__(
        self,
        notifier: Notifier,
        health: Callable[[], Health],
        text: Callable[[Health], str] | None = None,
    ) -> None:
        """Prepare; `text` is what is said of the health, else of the audio's state."""
        self._notifier = notifier
        self._health = health
        self._text = text or status_text
        self._over = threading.Event()
        self._ready = False
        self._fed = -1
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="systemd", daemon=True)

    def __enter__(self) -> Self:
        """Begin; sockets must listen by now."""
        if self._notifier.enabled:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._notifier.enabled:
            self._over.set()
            self._notifier.stopping()
            self._thread.join()

    def _run(self) -> None:
        asked = self._notifier.watchdog_interval_s
        pause = LOOK_S if asked is None else min(LOOK_S, asked / 4)
        while not self._over.wait(pause):
            self.look()

    def look(self) -> None:
        """Say what has changed since the last look."""
        health = self._health()
        text = self._text(health)
        if not self._ready:
            if not health.known:
                return
            self._ready = True
            self._notifier.ready(text)
        elif text != self._said:
            self._notifier.status(text)
        self._said = text
        if health.beats != self._fed:
            self._fed = health.beats
            self._notifier.watchdog()


def status_text(health: Health) -> str:
    """One line for `systemctl status`."""
    if health.audio is AudioState.HEALTHY:
        return f"hearing {health.device} with model {health.model}"
    return f"audio {health.audio.value}: {health.detail}"
