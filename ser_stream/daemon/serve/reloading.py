"""SIGHUP: limits and token are read again; what else has changed needs a restart."""

import logging

from ser_stream.config import Settings
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.protocol.access_token import read_token
from ser_stream.service.notify import Notifier

_LOGGER = logging.getLogger(__name__)
LIVE = {"serve.max_streams", "serve.idle_s", "serve.max_s"}
_READ_AGAIN = {"token_file"}
_OTHERS = {
    *("model", "step", "window", "format", "allow_origin", "trust_network"),
    *("log_format", "log_level"),
}
_TABLES = {"gate", "smoothing", "broker", "serve"}


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
        changed = [c.name for c in self._settings.changes(settings) if c.name in LIVE]
        if token != before:
            changed.append("token")
        restart = [
            change.name
            for change in self._started.changes(settings)
            if _is_ours(change.name) and change.name not in LIVE | _READ_AGAIN
        ]
        self._server.allow(settings.config.serve, token)
        self._settings = settings
        detail = f"changed: {', '.join(changed)}" if changed else "nothing changed"
        if restart:
            detail += f"; only a restart brings: {', '.join(restart)}"
        _LOGGER.info("reloaded: %s", detail)


def _is_ours(name: str) -> bool:
    """Whether `serve` takes this setting, and not only `listen`."""
    table = name.rpartition(".")[0]
    return table in _TABLES if table else name in _OTHERS | _READ_AGAIN
