"""The emotions of a row as all documents take them, and names that harm none of them.

A row is a mapping with the fields that `ser-stream recognize --segments` prints of a
file: `file`, a str; `duration_s`; `segments`, a list of mappings with `label`,
`start_ms`, `end_ms` and `confidence`; where a recording was split, `channel` too. Where
it was asked who speaks, it has `speakers`, and a segment `speaker`, a number or None.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """An emotion, from one moment to another."""

    start_ms: int
    end_ms: int
    """After `start_ms`."""
    label: str
    """One line, see `readable`."""
    confidence: float
    """0 to 1."""
    speaker: int | None = None
    """Number of who speaks, where that is asked for and known."""

    @property
    def text(self) -> str:
        """As people read it: `angry 0.72`, or `1: angry 0.72` of speaker 1."""
        who = "" if self.speaker is None else f"{self.speaker}: "
        return f"{who}{self.label} {self.confidence:.2f}"


def spans(row: Row) -> list[Span]:
    """The emotions of a row in order of time, in whole milliseconds.

    One that is shorter than a millisecond is left out: a cue, an interval and an
    annotation need a length.
    """
    found = [
        Span(
            max(0, round(segment["start_ms"])),
            round(segment["end_ms"]),
            readable(segment["label"]),
            segment["confidence"],
            segment.get("speaker"),
        )
        for segment in row["segments"]
    ]
    whole = [span for span in found if span.end_ms > span.start_ms]
    return sorted(whole, key=lambda span: (span.start_ms, span.end_ms))


def apart(found: list[Span]) -> list[Span]:
    """The same, each ending where the next one begins at the latest.

    For tiers, on which nothing may lie on anything else. Of several that begin at once,
    the longest is left.
    """
    result: list[Span] = []
    for span in found:
        if result and result[-1].end_ms > span.start_ms:
            last = replace(result.pop(), end_ms=span.start_ms)
            result += [last] if last.end_ms > last.start_ms else []
        result.append(span)
    return result


def of_channel(row: Row, name: str) -> str:
    """A name, or text, that tells the channel too where a recording was split."""
    channel = row.get("channel")
    return name if channel is None else f"{name} channel {readable(str(channel))}"


def tiers(row: Row, found: Sequence[Span]) -> dict[str, list[str]]:
    """The texts of the emotions by the names of their tiers.

    A tier `speaker`, empty where nobody knows, only where it was asked who speaks.
    """
    texts = {
        "emotion": [span.label for span in found],
        "confidence": [f"{span.confidence:.2f}" for span in found],
    }
    if "speakers" in row:
        texts["speaker"] = [
            "" if span.speaker is None else str(span.speaker) for span in found
        ]
    return {of_channel(row, name): values for name, values in texts.items()}


def readable(name: str) -> str:
    """A name on one line, which every encoder of Unicode takes.

    Names of files may hold line ends, control characters, and bytes that are no UTF-8,
    which Python keeps as lone surrogates; no document can hold these.
    """
    return "".join(
        "�"
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        else character
        for character in name
        # Neither assigned nor allowed in XML.
        if character not in "\ufffe\uffff"
    )
