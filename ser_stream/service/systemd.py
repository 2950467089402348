"""What systemd handed to this process, read once: reading takes it away from others."""

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Self

from ser_stream.service.activation import inherited_sockets
from ser_stream.service.notify import Notifier


@dataclass(frozen=True, slots=True)
class Systemd:
    """Where notifications go, and what listens already; nothing outside of systemd."""

    notifier: Notifier = field(default_factory=lambda: Notifier(None))
    sockets: list[socket.socket] = field(default_factory=list)

    @classmethod
    def from_environment(
        cls, environment: MutableMapping[str, str] = os.environ
    ) -> Self:
        """Take it, with the variables, so that no child has them.

        Raises:
            SinkError: if what was handed over is no listening stream socket.
        """
        notifier = Notifier.from_environment(environment)
        return cls(notifier, inherited_sockets(environment))
