"""Tells systemd how the service is: the protocol of sd_notify(3), without its library.

A message is one datagram of `NAME=value` lines to the socket that the environment
names. Outside of systemd there is no such socket, and nothing is sent.
"""

import logging
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Self

_LOGGER = logging.getLogger(__name__)
SEND_TIMEOUT_S = 1.0
"""How long systemd may be too busy to take a message; after that it is lost."""


class Notifier:
    """Sends notifications; from any thread, and it never raises."""

    def __init__(self, address: str | None, watchdog_s: float | None = None) -> None:
        """Remember where to send, and whether systemd watches over us.

        Args:
            address: path of a datagram socket, or `@` and a name in the abstract
                namespace; None where there is no systemd.
            watchdog_s: seconds without `watchdog` after which systemd takes us for
                hung; None if it does not watch.
        """
        if address is not None and not address.startswith(("/", "@")):
            _LOGGER.warning("NOTIFY_SOCKET is %r; only paths and @names", address)
            address = None
        self._address = address
        self._watchdog_s = watchdog_s if address is not None else None
        self._failed = False

    @classmethod
    def from_environment(
        cls, environment: MutableMapping[str, str] = os.environ
    ) -> Self:
        """What systemd asked for; the variables are removed, so no child has them."""
        address = environment.pop("NOTIFY_SOCKET", None)
        return cls(address or None, _watchdog_s(environment))

    @property
    def enabled(self) -> bool:
        return self._address is not None

    @property
    def watchdog_interval_s(self) -> float | None:
        """How often `watchdog` is due: half of what systemd waits; None if never."""
        return None if self._watchdog_s is None else self._watchdog_s / 2

    def ready(self, status: str) -> None:
        """Send that the service has started, or a reload is over."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Send a line about the service's state, which `systemctl status` shows."""
        self._send(_status(text))

    def reloading(self) -> None:
        """Send that a reload begins; `ready` ends it, whether it succeeded or not."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self, status: str = "stopping") -> None:
        self._send("STOPPING=1", _status(status))

    def watchdog(self) -> None:
        """Send that the service is alive; call it only when work has gone on."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # The abstract namespace is written with @, and begins with a zero byte.
        path = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_TIMEOUT_S)
                sender.sendto("\n".join(lines).encode(errors="replace"), path)
        except OSError as error:
            # Once: the watchdog would say it for ever.
            level = logging.DEBUG if self._failed else logging.WARNING
            _LOGGER.log(level, "systemd cannot be told %s: %s", lines[0], error)
            self._failed = True


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"


def _watchdog_s(environment: MutableMapping[str, str]) -> float | None:
    text = environment.pop("WATCHDOG_USEC", None)
    pid = environment.pop("WATCHDOG_PID", None)
    if text is None or pid not in (None, str(os.getpid())):
        return None
    # ASCII digits only: anything else did not come from systemd.
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        _LOGGER.warning("WATCHDOG_USEC is %r; it must be microseconds", text)
        return None
    return int(text) / 1e6
