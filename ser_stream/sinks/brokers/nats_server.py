"""A NATS server: how it is reached, why it is not, and when it has what was said."""

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ser_stream.protocol.address import Address, bracketed
from ser_stream.sinks.brokers.access import BrokerAccess, untrusted
from ser_stream.sinks.brokers.link import TIMEOUT_S, LostError

if TYPE_CHECKING:
    from nats.aio.client import Client

PORT = 4222
FORBIDDEN = "permissions violation"
"""In what a server says of a subject that is not for us; the connection stays."""


def url(address: Address) -> str:
    """As nats-py has it, without the prefix."""
    return f"{address.kind}://{bracketed(address.host)}:{address.port or PORT}"


def connect_options(address: Address, access: BrokerAccess) -> dict[str, Any]:
    """What nats-py's `connect` is told of who we are; a password alone is a token."""
    user, password = access.settings.user, access.password
    found: dict[str, Any] = {"user": user, "password": password}
    if user is None and password is not None:
        found = {"token": password}
    if (tls := access.tls(address)) is not None:
        found |= {"tls": tls, "tls_hostname": address.host}
    return found


def explained(errors: Sequence[Exception], access: BrokerAccess) -> LostError:
    """Why there is no connection, in words to put behind the address.

    An UnwantedError if trying again does not help.
    """
    for error in errors:
        text = str(error)
        refusing = ("authorization", "authentication", FORBIDDEN)
        if any(words in text.lower() for words in refusing):
            return access.refused(text.removeprefix("nats: "))
        if isinstance(error, ssl.SSLCertVerificationError):
            return untrusted(error.verify_message)
    said = next((str(e) for e in errors if str(e)), type(errors[-1]).__name__)
    return LostError(f"is not reached: {said.removeprefix('nats: ')}")


async def taken(client: "Client", timeout_s: float = TIMEOUT_S) -> None:
    """Return when the server has all that was published before.

    Raises:
        nats.errors.Error: if it does not say so in time, twice `timeout_s`.
    """
    # Twice, for nats-py (2.16) hands its ping to the socket past what still waits for
    # its writer. When that ping is answered, all of it is on its way.
    await client.flush(round(timeout_s))
    await client.flush(round(timeout_s))
