"""What a daemon says, with types: `if m["type"] == "emotion"` tells a checker the rest.

docs/protocol.md says what the fields mean. Fields that a newer daemon adds are kept in
the dictionaries; types of message that it adds are skipped. They are final so that
`if "seq" in m` tells a checker something, too.
"""

from typing import Literal, NotRequired, TypedDict, final, get_args

EventType = Literal["prediction", "emotion", "status", "adaptation"]
"""What `only` may name: the types that are numbered by `seq`."""
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
AudioState = Literal[
    "healthy", "lost", "recovering", "failed", "paused", "resumed", "ended"
]
StatusState = AudioState | Literal["overflow", "reloaded", "refused"]
PROTOCOL = 1


@final
class Model(TypedDict):
    """The model, in `hello`."""

    name: str
    sha256: str
    labels: list[str]
    licence: str
    adapted: bool


@final
class Audio(TypedDict):
    """Where the audio comes from, in `hello`."""

    source: Literal["mic", "file", "stdin", "network"]
    device: str
    device_rate: int
    sample_rate: int
    step_ms: float
    window_ms: float


@final
class Hello(TypedDict):
    """The first line, and again when the model or the device changed."""

    type: Literal["hello"]
    source: NotRequired[str]
    """Its name, if the daemon hears several; so in all that is told of it."""
    protocol: int
    version: str
    stream: str
    t0: str
    model: Model
    audio: Audio


@final
class PresentEmotion(TypedDict):
    """The emotion that goes on, in `snapshot`."""

    id: int
    label: str
    start_ms: float


@final
class Snapshot(TypedDict):
    """How things stand when one joins."""

    type: Literal["snapshot"]
    source: NotRequired[str]
    end_ms: float
    state: Literal["speech", "no_speech"]
    emotion: PresentEmotion | None
    audio: AudioState
    paused: bool


@final
class Prediction(TypedDict):
    """The result of one step; label, confidence and scores are None without speech."""

    type: Literal["prediction"]
    source: NotRequired[str]
    seq: int
    start_ms: float
    end_ms: float
    time: str
    state: Literal["speech", "no_speech"]
    label: str | None
    confidence: float | None
    scores: dict[str, float] | None
    familiarity: NotRequired[float | None]
    """Older daemons do not say it."""
    level_dbfs: float
    peak_dbfs: NotRequired[float]
    """Older daemons do not say it."""
    latency_ms: float
    speaker: NotRequired[int | None]
    """Only with --tell-speakers; None until it is known who speaks."""


@final
class Emotion(TypedDict):
    """A change of the steady emotion."""

    type: Literal["emotion"]
    source: NotRequired[str]
    seq: int
    phase: Literal["start", "update", "end"]
    id: int
    label: str
    start_ms: float
    end_ms: float
    time: str
    confidence: float
    speaker: NotRequired[int | None]
    """As in a prediction."""


@final
class Status(TypedDict):
    """A change in the health of the daemon."""

    type: Literal["status"]
    source: NotRequired[str]
    seq: int
    what: Literal["audio", "model", "overload"]
    state: StatusState
    detail: str
    time: str


@final
class Adaptation(TypedDict):
    """A step of online adaptation; `bundle` is the active model from here on."""

    type: Literal["adaptation"]
    source: NotRequired[str]
    seq: int
    phase: Literal["started", "accepted", "rejected", "rolled_back"]
    reason: str
    bundle: str
    time: str


@final
class Dropped(TypedDict):
    """Predictions that this subscriber was too slow for."""

    type: Literal["dropped"]
    source: NotRequired[str]
    count: int
    from_seq: int
    to_seq: int
    reason: Literal["slow_subscriber"]


@final
class History(TypedDict):
    """Events of the past follow, up to `to_seq`, if there are any; then live ones."""

    type: Literal["history"]
    source: NotRequired[str]
    id: int | float | str | None
    from_seq: int | None
    to_seq: int | None


@final
class Bye(TypedDict):
    """The last line."""

    type: Literal["bye"]
    source: NotRequired[str]
    reason: Literal[
        "shutdown", "slow_subscriber", "protocol", "end", "idle", "too_long", "failed"
    ]


Message = (
    Hello
    | Snapshot
    | Prediction
    | Emotion
    | Status
    | Adaptation
    | Dropped
    | History
    | Bye
)
"""What subscribers get; told apart by `type`."""
