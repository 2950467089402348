"""Protocol 1: what subscribers read, one JSON object a line.

Milliseconds of audio are `*_ms`, counted since `t0`; `time` is the UTC of `end_ms`.
Readers skip unknown fields and types. Lines are UTF-8 and at most 16 KiB.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ser_stream import __version__
from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioInfo,
    AudioState,
    EmotionEvent,
    Prediction,
    named,
)
from ser_stream.protocol.wall_clock import WallClock

PROTOCOL = 1
MAX_LINE = 16 * 1024
"""Bytes, with the line's end."""
MAX_TEXT = 1000
"""Characters of a readable text; at 6 bytes each, the line is still short enough."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Message:
    """One line of the protocol."""

    fields: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.fields["type"])

    @property
    def source(self) -> str:
        """The name of the source that it is told of; empty if there is but one."""
        return str(self.fields.get("source", ""))

    @cached_property
    def line(self) -> bytes:
        """The message as it is sent, encoded once for all subscribers."""
        text = _ENCODER.encode(self.fields)
        # A file name need not be UTF-8; a line must.
        data = text.encode(errors="replace") + b"\n"
        assert len(data) <= MAX_LINE, f"a {self.type} line of {len(data)} bytes"
        return data


def milliseconds(sample: int) -> float | int:
    """Sample index -> milliseconds of audio; whole numbers as such."""
    value = sample * 1000 / SAMPLE_RATE
    return int(value) if value.is_integer() else value


def shortened(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return text[: MAX_TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"


def utc_text(moment: datetime) -> str:
    """ISO 8601 with milliseconds and Z."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    text = moment.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


@dataclass
class MessageBuilder:
    """Builds the messages of one stream and numbers them."""

    clock: WallClock = field(default_factory=WallClock)
    stream: str = field(default_factory=lambda: str(uuid.uuid4()))
    source: str = ""
    """Its name, if there are several; all that is told of it has this."""
    speakers: bool = False
    """Whether events say who speaks."""
    _seq: int = 0

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _event(self, type: str, fields: Mapping[str, Any]) -> Message:
        head = begun(type, self.source)
        return Message({**head, "seq": self._next(), **fields})

    def _time(self, sample: int | None) -> str:
        now = datetime.now(UTC) if sample is None else self.clock.utc(sample)
        return utc_text(now)

    def hello(
        self, bundle: Bundle, audio: AudioInfo, config: PipelineConfig
    ) -> Message:
        return Message(
            {
                **begun("hello", self.source),
                "protocol": PROTOCOL,
                "version": __version__,
                "stream": self.stream,
                "t0": utc_text(self.clock.t0),
                "model": {
                    "name": bundle.name,
                    "sha256": bundle.sha256,
                    "labels": list(bundle.labels),
                    "licence": bundle.licence,
                    "adapted": bundle.adapted,
                },
                "audio": {
                    "source": audio.source,
                    "device": audio.device,
                    "device_rate": audio.device_rate,
                    "sample_rate": SAMPLE_RATE,
                    "step_ms": round(config.step_s * 1000),
                    "window_ms": milliseconds(
                        bundle.geometry.window_length(config.columns(bundle.geometry))
                    ),
                },
            }
        )

    def prediction(
        self, value: Prediction, labels: tuple[str, ...], latency_ms: float
    ) -> Message:
        scores = None
        if value.scores is not None:
            scores = {k: round(v, 4) for k, v in named(value.scores, labels).items()}
        confidence, familiar = value.confidence, value.familiarity
        return self._event(
            "prediction",
            {
                "start_ms": milliseconds(value.start),
                "end_ms": milliseconds(value.end),
                "time": self._time(value.end),
                "state": value.state.value,
                "label": value.label,
                "confidence": None if confidence is None else round(confidence, 4),
                "scores": scores,
                "familiarity": None if familiar is None else round(familiar, 3),
                "level_dbfs": round(value.level_dbfs, 1),
                # No minus before a zero.
                "peak_dbfs": round(value.peak_dbfs, 1) + 0.0,
                "latency_ms": round(latency_ms, 1),
                **self._who(value),
            },
        )

    def emotion(self, value: EmotionEvent) -> Message:
        return self._event(
            "emotion",
            {
                "phase": value.phase.value,
                "id": value.id,
                "label": value.label,
                "start_ms": milliseconds(value.start),
                "end_ms": milliseconds(value.end),
                "time": self._time(value.end),
                "confidence": round(value.confidence, 4),
                **self._who(value),
            },
        )

    def _who(self, value: Prediction | EmotionEvent) -> dict[str, int | None]:
        return {"speaker": value.speaker} if self.speakers else {}

    def adaptation(
        self, phase: str, reason: str, bundle_sha256: str, sample: int | None
    ) -> Message:
        """A step of online adaptation, at `sample`, or now.

        The phase is `started`, `accepted`, `rejected` or `rolled_back`; the bundle is
        the version of the model that is active from here on.
        """
        return self._event(
            "adaptation",
            {
                "phase": phase,
                "reason": shortened(reason),
                "bundle": bundle_sha256,
                "time": self._time(sample),
            },
        )

    def status(self, what: str, state: str, detail: str, sample: int | None) -> Message:
        """A change in the health of the stream, at `sample`, or now."""
        return self._event(
            "status",
            {
                "what": what,
                "state": state,
                "detail": shortened(detail),
                "time": self._time(sample),
            },
        )


def begun(type: str, source: str) -> dict[str, Any]:
    """The beginning of a message; `source` is empty where there is only one."""
    return {"type": type, "source": source} if source else {"type": type}


def dropped(count: int, from_seq: int, to_seq: int, source: str = "") -> Message:
    """Told to a subscriber that was too slow for some predictions."""
    return Message(
        {
            **begun("dropped", source),
            "count": count,
            "from_seq": from_seq,
            "to_seq": to_seq,
            "reason": "slow_subscriber",
        }
    )


def snapshot(
    end_ms: float,
    state: str,
    emotion: Mapping[str, Any] | None,
    audio: AudioState,
    source: str = "",
) -> Message:
    return Message(
        {
            **begun("snapshot", source),
            "end_ms": end_ms,
            "state": state,
            "emotion": emotion,
            "audio": audio.value,
            "paused": audio is AudioState.PAUSED,
        }
    )


def reply(id: object, result: Mapping[str, Any]) -> Message:
    return Message({"type": "reply", "id": id, "ok": True, "result": result})


def refusal(id: object, code: str, text: str) -> Message:
    """The answer to a refused request; `code` is for programs, `text` to be read."""
    error = {"code": code, "text": shortened(text)}
    return Message({"type": "reply", "id": id, "ok": False, "error": error})


def history(
    id: object, from_seq: int | None, to_seq: int | None, source: str = ""
) -> Message:
    """Says which past events follow; null if there are none."""
    head = begun("history", source)
    return Message({**head, "id": id, "from_seq": from_seq, "to_seq": to_seq})


def pong(id: object) -> Message:
    return Message({"type": "pong", "id": id})


def bye(reason: str) -> Message:
    """The last line: `shutdown`, `slow_subscriber` or `protocol`.

    Of a stream that a client sends also `end`, `idle`, `too_long` or `failed`.
    """
    return Message({"type": "bye", "reason": reason})
