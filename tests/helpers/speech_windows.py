"""Windows of speech as the running pipeline hands them out."""

from dataclasses import replace
from functools import cache

import ser_stream
from ser_stream.pipeline.values import SpeechWindow
from ser_stream.sources.recorded import read_chunks
from tests.helpers.paths import MINUTE


@cache
def heard_minute() -> tuple[SpeechWindow, ...]:
    """Those of the minute of EmoDB, 26 in 16 turns, by the model `open`."""
    found = list[SpeechWindow]()
    ser_stream.load("open").record(read_chunks(MINUTE), found.append)
    return tuple(found)


def heard_minutes(n: int) -> list[SpeechWindow]:
    """The same so many times, one after the other."""
    minute = heard_minute()
    return [
        replace(w, end=w.end + 960_000 * k, turn=w.turn + 20 * k)
        for k in range(n)
        for w in minute
    ]
