"""How a broker knows us, and we know it: user, password, certificates."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ser_stream.errors import ConfigError
from ser_stream.paths import user_path
from ser_stream.protocol.address import Address
from ser_stream.sinks import SinkOptions
from ser_stream.sinks.brokers.link import UnwantedError
from ser_stream.sinks.brokers.settings import BrokerSettings

SECURE = ("mqtts", "tls")
"""Kinds of address that are encrypted."""


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """The same for all addresses that are given together."""

    settings: BrokerSettings
    password: str | None
    _tls: ssl.SSLContext | None

    @classmethod
    def of(cls, addresses: Sequence[Address], options: SinkOptions) -> Self:
        """Read what these addresses need.

        Raises:
            ConfigError: if the password or the certificates cannot be read.
        """
        settings, password = options.broker, options.password()
        secure = any(address.kind in SECURE for address in addresses)
        return cls(
            settings, password, _tls_context(settings.ca_file) if secure else None
        )

    def tls(self, address: Address) -> ssl.SSLContext | None:
        """Whom we trust there; None where nothing is encrypted."""
        return self._tls if address.kind in SECURE else None

    def refused(self, why: object) -> UnwantedError:
        """Of a broker that does not want who we say that we are."""
        who = self.settings.user
        return UnwantedError(
            f"refuses {'us without a user' if who is None else f'user {who}'} "
            f"({why}); check broker.user and broker.password_file, and what the "
            "broker allows"
        )


def untrusted(why: str) -> UnwantedError:
    """Of a broker whose certificate nobody signed whom we trust."""
    return UnwantedError(
        f"has a certificate that is not trusted ({why}); set broker.ca_file to the "
        "certificate of the authority that signed it"
    )


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the authorities of a file, or those that the system trusts."""
    path = None if ca_file is None else user_path(ca_file)
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError is one
        reason = error.strerror if not isinstance(error, ssl.SSLError) else None
        raise ConfigError(
            f"broker.ca_file {path}: {reason or 'it holds no certificate'}; allowed: a "
            "file of certificates in PEM"
        ) from None
