"""SubRip and WebVTT, by pysubs2: a cue for each emotion, which players show."""

import html
from collections.abc import Sequence

from ser_stream.commands.exports.spans import Row, of_channel, spans
from ser_stream.commands.extras import of_extra
from ser_stream.errors import SinkError

MOST_MS = 100 * 3_600_000
"""Milliseconds. Hours have two digits: no cue can end at this or later."""


def srt(rows: Sequence[Row]) -> str:
    """SubRip, whose document without cues is empty.

    Raises:
        MissingLibraryError: if pysubs2 is not installed.
        SinkError: if the recording is longer than the format can say.
    """
    return _cues(rows, "srt")


def vtt(rows: Sequence[Row]) -> str:
    """WebVTT (W3C), as the `track` of an HTML player takes it.

    Raises:
        MissingLibraryError: if pysubs2 is not installed.
        SinkError: if the recording is longer than the format can say.
    """
    return _cues(rows, "vtt")


def _cues(rows: Sequence[Row], format: str) -> str:
    with of_extra("export", f"--format {format}"):
        from pysubs2 import SSAEvent, SSAFile

    document = SSAFile()
    for row in rows:
        for span in spans(row):
            if span.end_ms >= MOST_MS:
                raise SinkError(
                    f"{format} holds no more than {MOST_MS // 3_600_000} hours, and "
                    f"{row['file']} is longer; choose another --format, as audacity"
                )
            # An arrow would be taken for times. SubRip knows no escapes.
            text = of_channel(row, span.text).replace("-->", "->")
            if format == "vtt":
                text = html.escape(text, quote=False)
            document.append(SSAEvent(start=span.start_ms, end=span.end_ms, text=text))
    document.sort()
    # The tags of pysubs2's own format are text here.
    return document.to_string(format, keep_ssa_tags=True)
