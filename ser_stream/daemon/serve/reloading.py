"""SIGHUP: limits and token are read again; what else has changed needs a restart."""

import logging
from typing import Literal

from ser_stream.config import KEYS, Settings
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.protocol.access_token import read_token
from ser_stream.service.notify import Notifier

_LOGGER = logging.getLogger(__name__)


class Reloading:
    """For one thread. Streams go on, whatever changes."""

    def __init__(
        self, settings: Settings, server: AudioServer, notifier: Notifier
    ) -> None:
        """Remember what the server was started with."""
        self._started = self._settings = settings
        self._server = server
        self._notifier = notifier

    def reload(self, status: str) -> None:
        """Read settings and token again; `status` is what systemd is told then.

        What is wrong is logged, and everything stays as it was.
        """
        self._notifier.reloading()
        try:
            self._reload()
        except SerStreamError as error:
            _LOGGER.warning("reload refused, everything stays: %s", error)
        finally:
            self._notifier.ready(status)

    def _reload(self) -> None:
        settings = self._settings.reload()
        before = self._server.senders.token
        token = settings.located(lambda config: read_token(config.token_file))
        if (token is None) is not (before is None):
            was, now = ("no token", "one") if before is None else ("a token", "none")
            raise ConfigError(
                f"there was {was}, and now there is {now}; only a restart brings that"
            )
        changed = _changed(self._settings, settings, "live")
        if token != before:
            changed.append("token")
        restart = _changed(self._started, settings, "start")
        self._server.allow(settings.config.serve, token)
        self._settings = settings
        detail = f"changed: {', '.join(changed)}" if changed else "nothing changed"
        if restart:
            detail += f"; only a restart brings: {', '.join(restart)}"
        _LOGGER.info("reloaded: %s", detail)


def _changed(
    old: Settings, new: Settings, taken: Literal["start", "live"]
) -> list[str]:
    """Names of settings that differ, of those that `serve` takes then."""
    return [c.name for c in old.changes(new) if KEYS[c.name].serve == taken]
