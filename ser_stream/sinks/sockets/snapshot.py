"""What a subscriber that joins is sent: `hello`, and the present state."""

from typing import Any

from ser_stream.pipeline.values import AudioState, SpeechState
from ser_stream.protocol.messages import Message, snapshot


class Snapshot:
    """Follows the messages, so that it is right at the place where it is asked."""

    def __init__(self) -> None:
        self._hello: Message | None = None
        self._end_ms: float = 0
        self._state = SpeechState.NO_SPEECH.value
        self._emotion: dict[str, Any] | None = None
        self._audio = AudioState.RECOVERING

    def follow(self, message: Message) -> None:
        """Note one message; messages come in the order of their publication."""
        fields = message.fields
        if message.type == "hello":
            self._hello = message
        elif message.type == "snapshot":
            self._audio = AudioState(fields["audio"])
        elif message.type == "prediction":
            self._end_ms, self._state = fields["end_ms"], fields["state"]
        elif message.type == "emotion":
            ended = fields["phase"] == "end"
            kept = {key: fields[key] for key in ("id", "label", "start_ms")}
            self._emotion = None if ended else kept
        elif message.type == "status" and fields["what"] == "audio":
            self._follow_audio(fields["state"])

    def _follow_audio(self, state: str) -> None:
        if state in list(AudioState):
            self._audio = AudioState(state)
        if self._audio is not AudioState.HEALTHY:
            self._state = SpeechState.NO_SPEECH.value

    def greeting(self) -> list[Message]:
        """`hello` and `snapshot`; nothing before the stream has begun."""
        if self._hello is None:
            return []
        source = self._hello.source
        return [
            self._hello,
            snapshot(self._end_ms, self._state, self._emotion, self._audio, source),
        ]


class Snapshots:
    """Those of all streams, each under the name of its source."""

    def __init__(self) -> None:
        self._of: dict[str, Snapshot] = {}
        self._begun: dict[str, None] = {}

    @property
    def sources(self) -> list[str]:
        """The names, in the order in which the streams began; one may be empty."""
        return list(self._begun)

    def follow(self, message: Message) -> None:
        """Note one message."""
        source = message.source
        if message.type == "hello" and source not in self._of:
            self._of[source] = Snapshot()
        if (of := self._of.get(source)) is not None:
            of.follow(message)
            if message.type == "snapshot":
                self._begun[source] = None

    def greeting(self, source: str) -> list[Message]:
        """`hello` and `snapshot` of a stream; nothing before it has begun."""
        return self._of[source].greeting() if source in self._begun else []
