"""What is known of a daemon, from its messages alone; no socket, no terminal."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ser_stream.client import Message
from ser_stream.client.messages import Emotion, Hello, Prediction, Snapshot, Status
from ser_stream.commands.watch.timeline import NO_SPEECH, UNCERTAIN, UNDECIDED, Timeline
from ser_stream.protocol.text import TextRenderer

LOGGED = 200
"""Lines of the log that are kept."""
GONE = ("lost", "recovering", "failed", "paused", "ended")
"""States of the audio in which what the last step said holds no more."""
CLIPS_DBFS = -0.1
"""A peak from which samples are cut; 0 is full scale."""
CLIP_HELD_MS = 2000.0
"""How long it is said of the sound: a single step is over before it is read."""
Link = Literal["connecting", "connected", "lost"]


@dataclass(frozen=True)
class Steady:
    """The steady emotion; `confidence` is None until an event has told it."""

    id: int
    label: str
    start_ms: float
    confidence: float | None


@dataclass(frozen=True)
class Logged:
    """A line of the log; `time` is UTC as the daemon writes it, or empty."""

    time: str
    text: str


@dataclass
class WatchState:
    """Takes messages; tells what they add up to."""

    link: Link = "connecting"
    trouble: str = ""
    """Why there is no connection."""
    hello: Hello | None = None
    audio: str = "healthy"
    steady: Steady | None = None
    step: Prediction | None = None
    """The last one, while it holds."""
    now_ms: float | None = None
    clipped_ms: float | None = None
    """Where the last step ends whose peak was cut."""
    timeline: Timeline = field(default_factory=Timeline)
    log: deque[Logged] = field(default_factory=lambda: deque(maxlen=LOGGED))
    overflows: int = 0
    """Times that samples were lost, since this view began."""
    dropped: int = 0
    """Predictions that this view was too slow for."""
    figures: Mapping[str, Any] | None = None
    """What the daemon answered to `status`; only on its Unix socket."""
    clock: Callable[[], str] = lambda: ""
    """The time as the protocol writes it, of what no message says."""

    @property
    def labels(self) -> list[str]:
        return self.hello["model"]["labels"] if self.hello else []

    @property
    def clips(self) -> bool:
        """Whether the sound is cut at full scale, or was within the last 2 s."""
        now, then = self.now_ms, self.clipped_ms
        return now is not None and then is not None and now - then <= CLIP_HELD_MS

    @property
    def paused(self) -> bool:
        return self.audio == "paused"

    def lost(self, why: str) -> None:
        """There is no connection; said once, however often it is tried."""
        if self.link != "lost":
            self._note(f"{why}; trying again until it is there")
        self.link, self.trouble = "lost", why
        self.steady = self.step = self.figures = None

    def _note(self, text: str) -> None:
        self.log.append(Logged(self.clock(), text))

    def take(self, message: Message) -> None:
        kind = message["type"]
        if message["type"] == "hello":
            self._hello(message)
        elif message["type"] == "snapshot":
            self._snapshot(message)
        elif message["type"] == "prediction":
            self._prediction(message)
        elif message["type"] == "emotion":
            self._emotion(message)
        elif message["type"] == "status":
            self._status(message)
        elif message["type"] == "dropped":
            self.dropped += message["count"]
        if kind in ("status", "adaptation", "dropped"):
            text = TextRenderer(live=False).text(message).rstrip("\n")
            self.log.append(Logged(str(message.get("time", "")), text))

    def _hello(self, hello: Hello) -> None:
        if self.hello is None or hello["stream"] != self.hello["stream"]:
            self.timeline = Timeline()
            self.steady = self.step = self.now_ms = self.clipped_ms = None
        if self.link == "lost":
            self._note("connected again" if self.hello else "connected")
        elif self.hello is not None:
            self._note(TextRenderer(live=False).text(hello).rstrip())
        self.link, self.trouble, self.hello = "connected", "", hello

    def _snapshot(self, now: Snapshot) -> None:
        self.now_ms, self.audio = now["end_ms"], now["audio"]
        self.steady = None
        if (emotion := now["emotion"]) is not None:
            self._steady(**emotion, confidence=None)

    def _steady(
        self, id: int, label: str, start_ms: float, confidence: float | None
    ) -> None:
        self.steady = Steady(id, label, start_ms, confidence)
        end_ms = self.now_ms or start_ms
        self.timeline.emotion(id, label, start_ms, end_ms, over=False)

    def _prediction(self, step: Prediction) -> None:
        self.step, self.now_ms = step, step["end_ms"]
        if step.get("peak_dbfs", -math.inf) >= CLIPS_DBFS:
            self.clipped_ms = step["end_ms"]
        self.timeline.step(step["end_ms"], alone(step))
        if self.steady is not None and step["state"] == "speech":
            now = self.steady
            self._steady(now.id, now.label, now.start_ms, now.confidence)

    def _emotion(self, event: Emotion) -> None:
        id, label, start_ms = event["id"], event["label"], event["start_ms"]
        if event["phase"] != "end":
            self.steady = Steady(id, label, start_ms, event["confidence"])
        elif self.steady is not None and self.steady.id == id:
            self.steady = None
        over = event["phase"] == "end"
        self.timeline.emotion(id, label, start_ms, event["end_ms"], over=over)

    def _status(self, status: Status) -> None:
        what, state = status["what"], status["state"]
        if state == "overflow":
            self.overflows += 1
        elif what == "audio":
            self.audio = state
            if state in GONE:
                self.step = None


def alone(step: Prediction) -> str:
    """What a step says by itself, without what is steady."""
    if step["state"] == "no_speech":
        return NO_SPEECH
    return UNCERTAIN if step["label"] == UNCERTAIN else UNDECIDED
