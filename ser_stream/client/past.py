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
        # By the name of the source.
        self._stream: dict[str, str] = {}
        self._seq: dict[str, int] = {}
        self._came: set[str] = set()

    def begin(self) -> None:
        """Another connection begins."""
        self._came.clear()

    def passes(self, message: Message) -> bool:
        """Whether the user is to get this one."""
        if self.seconds is None:
            return True
        if message["type"] == "bye":
            return True
        source = message.get("source", "")
        if message["type"] == "hello":
            if message["stream"] != self._stream.get(source):
                self._stream[source], self._seq[source] = message["stream"], 0
        elif message["type"] == "history":
            self._came.add(source)
        elif "seq" in message:
            # What comes before `history` comes again behind it.
            if source not in self._came or message["seq"] <= self._seq.get(source, 0):
                return False
            self._seq[source] = message["seq"]
        return True
