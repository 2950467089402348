"""Messages as text for people: a line an emotion, and on a terminal what is heard."""

from collections.abc import Mapping
from typing import Any

from ser_stream.events import Message

Fields = Mapping[str, Any]
_ERASE = "\r\x1b[K"
_BAR = 20


def clock(ms: float) -> str:
    """Milliseconds -> m:ss.t."""
    tenths = int(ms // 100)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


class TextRenderer:
    """Renders emotions as lines; with `live`, predictions as one line rewritten."""

    def __init__(self, *, live: bool) -> None:
        self._live = live

    def __call__(self, message: Message, /) -> bytes:
        """Text for one message; empty where there is nothing to say."""
        render = getattr(self, f"_{message.type}", None)
        text = render(message.fields) if render else ""
        if self._live and message.type == "bye":
            # Take the prediction away that is still on the line.
            return _ERASE.encode()
        if not text:
            return b""
        if self._live:
            end = "" if message.type == "prediction" else "\n"
            text = _ERASE + text + end
        else:
            text += "\n"
        return text.encode(errors="replace")

    def _hello(self, m: Fields) -> str:
        labels = ", ".join(m["model"]["labels"])
        device = m["audio"]["device"] or m["audio"]["source"]
        return f"hearing {device} with model {m['model']['name']} ({labels})"

    def _prediction(self, m: Fields) -> str:
        if not self._live:
            return ""
        at = clock(m["end_ms"])
        if m["scores"] is None:
            return f"{at:>8}  (no speech)  {m['level_dbfs']:6.1f} dBFS"
        full = round(_BAR * m["confidence"])
        bar = "█" * full + "·" * (_BAR - full)
        return f"{at:>8}  {m['label']:<10} {bar} {m['confidence']:.2f}"

    def _emotion(self, m: Fields) -> str:
        at = clock(m["start_ms"])
        if m["phase"] == "start":
            return f"{at:>8}  {m['label']:<10} begins, confidence {m['confidence']:.2f}"
        if m["phase"] == "end":
            seconds = (m["end_ms"] - m["start_ms"]) / 1000
            at = clock(m["end_ms"])
            return f"{at:>8}  {m['label']:<10} ends after {seconds:.1f} s"
        return ""

    def _status(self, m: Fields) -> str:
        return f"{m['what']} {m['state']}: {m['detail']}"

    def _dropped(self, m: Fields) -> str:
        return f"{m['count']} predictions were not shown: the reader is slow"
