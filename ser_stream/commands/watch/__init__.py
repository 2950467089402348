"""`ser-stream watch`: a running daemon on a terminal, live.

state      what is known, from the messages alone
sources    a state for each source; one of them is shown
timeline   who was told what, over the last minutes
follow     the messages, over all the connections that it takes
words      numbers as the view says them
facts      device, model, losses, subscribers
screen     the state as lines of text, for a terminal of any size
parts      the lines that it is put together from
app        keys, and the terminal, by textual
choice     whether the terminal can show it, or gets lines
"""

from pathlib import Path

from ser_stream.client.where import addresses
from ser_stream.commands.extras import of_extra
from ser_stream.commands.subscribe import read_token, subscribe
from ser_stream.commands.watch.choice import can_be_painted
from ser_stream.errors import ConfigError, SinkError


def watch(
    uri: str | None, *, socket: str | None = None, token_file: Path | None = None
) -> None:
    """Show a daemon until a key or a signal ends it.

    Where the terminal cannot be painted, it is what `subscribe` prints as text.

    Args:
        uri: its address; None for its own socket, or that of the system's.
        socket: the path of its Unix socket instead.
        token_file: holds the token for TCP and WebSocket.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    uri = _address(uri, socket)
    if not can_be_painted():
        subscribe(
            uri,
            only=None,
            format="text",
            reconnect=True,
            token_file=token_file,
            count=None,
        )
        return
    token = read_token(token_file) if token_file else None
    addresses(uri)  # a wrong one is told before the terminal is taken
    with of_extra("tui", "ser-stream watch on a terminal"):
        from ser_stream.commands.watch.app import WatchApp
    app = WatchApp(uri, token)
    app.run()
    if app.error is not None:
        raise app.error
    if app.return_code:
        raise SinkError("the view ended because of an error in it; it is told above")


def _address(uri: str | None, socket: str | None) -> str | None:
    if socket is None:
        return uri
    if uri is not None:
        raise ConfigError("give an address or --socket, not both")
    return socket if ":" in socket else f"unix://{Path(socket).absolute()}"
