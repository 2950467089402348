"""How a NATS server is reached, and why it is not: to publish, and to take audio."""

import ssl
from collections.abc import Sequence
from typing import Any

from ser_stream.protocol.address import Address, bracketed
from ser_stream.sinks.brokers.link import LostError, UnwantedError
from ser_stream.sinks.brokers.settings import BrokerSettings

PORT = 4222


def url(address: Address) -> str:
    """As nats-py has it, without the prefix."""
    return f"{address.kind}://{bracketed(address.host)}:{address.port or PORT}"


def connect_options(
    address: Address,
    settings: BrokerSettings,
    password: str | None,
    tls: ssl.SSLContext | None,
) -> dict[str, Any]:
    """What nats-py's `connect` is told of who we are; a password alone is a token."""
    found: dict[str, Any] = {"user": settings.user, "password": password}
    if settings.user is None and password is not None:
        found = {"token": password}
    if address.kind == "tls":
        found |= {"tls": tls, "tls_hostname": address.host}
    return found


def explained(errors: Sequence[Exception], settings: BrokerSettings) -> LostError:
    """Why there is no connection, in words to put behind the address.

    An UnwantedError if trying again does not help.
    """
    for error in errors:
        text = str(error)
        if "authorization" in text.lower() or "authentication" in text.lower():
            who = settings.user
            return UnwantedError(
                f"refuses {'us without a user' if who is None else f'user {who}'} "
                f"({text.removeprefix('nats: ')}); check broker.user and "
                "broker.password_file"
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnwantedError(
                f"has a certificate that is not trusted ({error.verify_message}); set "
                "broker.ca_file to the certificate of the authority that signed it"
            )
    said = next((str(e) for e in errors if str(e)), type(errors[-1]).__name__)
    return LostError(f"is not reached: {said.removeprefix('nats: ')}")
