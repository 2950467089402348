"""RTTM, of diarization: a line for each emotion, in place of the speaker or beside it.

NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan",
appendix A.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ser_stream.commands.exports.spans import Row, Span, readable, spans

UNSAFE = re.compile(r"""[\s"']+|^$""")
"""Fields are set apart by spaces, and readers of tables take quotes for theirs."""
UNKNOWN = "unknown"
"""Of whom it is not known who speaks; readers take `<NA>` for no text at all."""


def rttm(rows: Sequence[Row]) -> str:
    """Lines `SPEAKER file channel onset duration <NA> <NA> emotion <NA> <NA>`.

    The field of the speaker's name carries the emotion, so that what measures
    diarization measures emotions in time. Where it was asked who speaks it has the
    number of that, or `unknown`, and the emotion is the subtype, the field before it;
    where the recording was split, the channel and the number, as `2_1`: each channel
    counts for itself, and readers do not look at the field of the channel. The file is
    named without folder and ending; the channel is 1 where the recording was not split.
    Documents may be joined: each line says what it is of.
    """
    return "".join(
        f"SPEAKER {_field(Path(row['file']).stem)} {_channel(row)} "
        f"{span.start_ms / 1000:.3f} {(span.end_ms - span.start_ms) / 1000:.3f} "
        f"<NA> {_names(row, span)} <NA> <NA>\n"
        for row in rows
        for span in spans(row)
    )


def _names(row: Row, span: Span) -> str:
    """The subtype and the name."""
    if "speakers" not in row:
        return f"<NA> {_field(span.label)}"
    if span.speaker is None:
        who = UNKNOWN
    elif row.get("channel") is None:
        who = str(span.speaker)
    else:
        who = f"{_channel(row)}_{span.speaker}"
    return f"{_field(span.label)} {who}"


def _channel(row: Row) -> str:
    channel = row.get("channel")
    return "1" if channel is None else _field(str(channel))


def _field(text: str) -> str:
    return UNSAFE.sub("_", readable(text))
