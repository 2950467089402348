"""The past that was asked for: each event is given once, over all connections."""

from ser_stream.client.messages import Message
from ser_stream.errors import ConfigError

MAX_SECONDS = 3600.0
"""Of events that a daemon keeps."""


class Past:
    """Lets messages pass, but for events that come again or came before."""

    def __init__(self, seconds: float | None) -> None:
        """Prepare.

        Args:
            seconds: of the past that is wanted; None for none, and then all passes.

        Raises:
            ConfigError: if no daemon would answer that.
        """
        if seconds is not None and not 0 < seconds <= MAX_SECONDS:
            raise ConfigError(
                f"history is {seconds}; allowed: seconds above 0, up to "
                f"{MAX_SECONDS:g}, or None"
            )
        self.seconds = seconds
        self._stream = ""
        self._seq = 0
        self._came = False

    def begin(self) -> None:
        """Another connection begins."""
        self._came = False

    def passes(self, message: Message) -> bool:
        """Whether the user is to get this one."""
        if self.seconds is None:
            return True
        if message["type"] == "hello":
            if message["stream"] != self._stream:
                self._stream, self._seq = message["stream"], 0
        elif message["type"] == "history":
            self._came = True
        elif "seq" in message:
            # What comes before `history` comes again behind it.
            if not self._came or message["seq"] <= self._seq:
                return False
            self._seq = message["seq"]
        return True
