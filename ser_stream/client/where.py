"""Where a client looks for a daemon."""

from ser_stream.errors import ConfigError
from ser_stream.paths import SYSTEM_SOCKET, default_socket
from ser_stream.protocol.address import FORMS, SOCKETS, Address, parse


def addresses(uri: str | None) -> tuple[Address, ...]:
    """Where to look for a daemon: the address, or the user's and the system's socket.

    Raises:
        ConfigError: if nothing can be subscribed to at such an address.
    """
    if uri is None:
        paths = dict.fromkeys((default_socket(), SYSTEM_SOCKET))
        return tuple(parse(f"unix://{path}") for path in paths)
    if uri == FORMS["stdout"]:
        raise ConfigError(
            f"{uri} is no address to subscribe to; allowed: "
            f"{', '.join(SOCKETS.values())}"
        )
    return (parse(uri, SOCKETS),)
