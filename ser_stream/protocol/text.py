"""Messages as readable text: a line an emotion; on a terminal also each prediction."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ser_stream.protocol.live_line import live_line

if TYPE_CHECKING:  # a subscriber shows text without loading numpy
    from ser_stream.protocol.messages import Message

Fields = Mapping[str, Any]
ERASE = "\r\x1b[K"
"""Takes away the prediction that is still on the line."""
ADVICE = {"open": "; --model accurate is right more often, for a tenth of a core"}
"""What whoever looks at a terminal, mostly of a desktop, is told of a model."""


def clock(ms: float) -> str:
    """Milliseconds -> m:ss.t."""
    tenths = int(ms // 100)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


class TextRenderer:
    """Renders emotions as lines; with `live`, predictions as one line rewritten.

    With `advise`, the first line says when another model is worth its cost.
    """

    def __init__(self, *, live: bool, advise: bool = False) -> None:
        self._live = live
        self._advise = advise
        self._shown = ""
        """Of several sources, the one whose prediction is on the line."""
        self._heard: dict[str, tuple[str, str]] = {}
        """By source: of which stream the last `hello` was, and what it said."""
        self._renderers: dict[str, Callable[[Fields], str]] = {
            "hello": self._hello,
            "snapshot": self._snapshot,
            "prediction": self._prediction,
            "emotion": self._emotion,
            "status": self._status,
            "adaptation": self._adaptation,
            "dropped": self._dropped,
            "bye": self._bye,
        }

    def __call__(self, message: "Message", /) -> bytes:
        """Text for one message; empty where there is nothing to say."""
        return self.text(message.fields).encode(errors="replace")

    def text(self, fields: Fields, /) -> str:
        render = self._renderers.get(fields["type"])
        source = fields.get("source", "")
        if render == self._prediction:
            if not self._live or not self._is_shown(source, fields):
                return ""
            return ERASE + render(fields)
        text = printable(render(fields)) if render else ""
        if text and source:
            text = f"{source}: {text}"
        if not self._live:
            return text and text + "\n"
        if fields["type"] == "bye":
            return ERASE + (text and text + "\n")
        return text and ERASE + text + "\n"

    def _is_shown(self, source: str, step: Fields) -> bool:
        # One line has room for one source: for whoever spoke last.
        if step["scores"] is not None:
            self._shown = source
        return source == self._shown or not self._shown

    def _hello(self, m: Fields) -> str:
        labels = ", ".join(m["model"]["labels"])
        device = m["audio"]["device"] or m["audio"]["source"]
        name = m["model"]["name"]
        text = f"hearing {device} with model {name} ({labels})"
        text += ADVICE.get(name, "") if self._advise else ""
        # It comes again with the first samples, and says nothing new then.
        source, told = m.get("source", ""), (m["stream"], text)
        if self._heard.get(source) == told:
            return ""
        self._heard[source] = told
        return text

    def _snapshot(self, m: Fields) -> str:
        if m["audio"] != "healthy":
            return f"audio {m['audio']}"
        if m["emotion"] is None:
            return ""
        at, since = clock(m["end_ms"]), clock(m["emotion"]["start_ms"])
        return f"{at:>8}  {m['emotion']['label']:<10} since {since}"

    def _prediction(self, m: Fields) -> str:
        source = m.get("source")
        at = clock(m["end_ms"])
        return live_line(m, f"{source}: {at}" if source else at, printable)

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
        return _sentence(f"{m['what']} {m['state']}", m["detail"])

    def _adaptation(self, m: Fields) -> str:
        return _sentence(f"adaptation {m['phase'].replace('_', ' ')}", m["reason"])

    def _dropped(self, m: Fields) -> str:
        return f"{m['count']} predictions were not shown: the reader is slow"

    def _bye(self, m: Fields) -> str:
        self._heard.pop(m.get("source", ""), None)
        return "" if m["reason"] == "shutdown" else f"the end: {m['reason']}"


def _sentence(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def printable(text: str) -> str:
    # The names of devices and models come from elsewhere: none may steer the terminal.
    return "".join(c if c.isprintable() else "?" for c in text)
