"""What holds now, of each source: what a broker retains, and what it is told first."""

from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.snapshot import Snapshot

NONE = "none"
"""The emotion while there is none."""
UNKNOWN = "None"
"""A number that there is none of, in the words of Home Assistant."""
ON, OFF = "ON", "OFF"
LEVEL_EVERY_MS = 1000


class Source:
    """One stream of messages; `state` has its topics with their payloads."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.hello: Message | None = None
        self.state = {
            "emotion": NONE,
            "confidence": UNKNOWN,
            "level": UNKNOWN,
            "connectivity": OFF,
        }
        self._next_level_ms = 0.0
        self._told = False
        """Whether anything has said how the audio is."""

    def follow(self, message: Message) -> None:
        self.snapshot.follow(message)
        fields = message.fields
        if message.type == "hello":
            self.hello = message
        elif message.type == "snapshot":
            self._audio(fields["audio"])
        elif message.type == "emotion":
            self._emotion(message)
        elif message.type == "prediction":
            self._level(message)
        elif message.type == "status" and fields["what"] == "audio":
            self._audio(fields["state"])
        elif message.type == "bye":
            self._audio("ended")

    def _emotion(self, message: Message) -> None:
        fields = message.fields
        ended = fields["phase"] == "end"
        self.state["emotion"] = NONE if ended else fields["label"]
        percent = f"{100 * fields['confidence']:.0f}"
        self.state["confidence"] = UNKNOWN if ended else percent

    def _level(self, message: Message) -> None:
        if not self._told:
            self.state["connectivity"] = ON
        if message.fields["end_ms"] >= self._next_level_ms:
            self._next_level_ms = message.fields["end_ms"] + LEVEL_EVERY_MS
            self.state["level"] = f"{message.fields['level_dbfs']:.1f}"

    def _audio(self, state: str) -> None:
        if state == "overflow":
            return  # samples are missing, but it goes on
        self._told = True
        self.state["connectivity"] = ON if state == "healthy" else OFF
        if state != "healthy":
            self._next_level_ms = 0.0
            self.state |= {"emotion": NONE, "confidence": UNKNOWN, "level": UNKNOWN}


class Present:
    """All sources by their names; None is the only one of a daemon that has one."""

    def __init__(self) -> None:
        self.sources: dict[str | None, Source] = {}

    def follow(self, message: Message) -> None:
        """Note one message; messages come in the order of their publication."""
        if message.type == "bye" and "source" not in message.fields:
            for source in self.sources.values():
                source.follow(message)
            return
        name = message.fields.get("source")
        if message.type == "bye":
            self.sources.pop(name, None)
            return
        self.sources.setdefault(name, Source()).follow(message)

    def greeting(self) -> list[Message]:
        """`hello` and `snapshot` of each source that has begun."""
        found: list[Message] = []
        for name, source in self.sources.items():
            extra = {} if name is None else {"source": name}
            found += [
                Message({**message.fields, **extra})
                for message in source.snapshot.greeting()
            ]
        return found


def level(name: str) -> str:
    """A source's name as one level of a topic, without what brokers refuse."""
    return "".join(
        "_" if letter in "/+#" or not letter.isprintable() else letter
        for letter in name
    )
