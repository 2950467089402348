"""`ser-stream watch`."""

from ser_stream.cli.app import app
from ser_stream.cli.control import Socket
from ser_stream.cli.options import TokenFile, Uri

EPILOG = (
    "Exit status: 0 done, by q or Ctrl-C; 2 usage; 5 the address or the token does not "
    "open; 69 a library is missing."
)


@app.command(epilog=EPILOG)
def watch(
    uri: Uri = None,
    socket: Socket = None,
    token_file: TokenFile = None,
) -> None:
    """Show a running daemon on the terminal: emotion, scores, level, timeline, log.

    Keys: p pauses the microphone or resumes it, where the daemon is on a Unix socket;
    f freezes the view, q ends it. From 40 columns by 12 lines on. Needs the extra tui:
    pip install "ser-stream[tui]". With NO_COLOR, on a dumb terminal and in a pipe it
    prints lines, as `subscribe --format text` does.

    Examples:

      ser-stream watch

      ser-stream watch ws://kitchen:8766 --token-file ~/.kitchen-token
    """
    from ser_stream.commands.watch import watch as command

    command(uri, socket=socket, token_file=token_file)
