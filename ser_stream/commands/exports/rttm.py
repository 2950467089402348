"""RTTM, of diarization: a line for each emotion, where others have a speaker.

NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan",
appendix A.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ser_stream.commands.exports.spans import Row, readable, spans

UNSAFE = re.compile(r"""[\s"']+|^$""")
"""Fields are set apart by spaces, and readers of tables take quotes for theirs."""


def rttm(rows: Sequence[Row]) -> str:
    """Lines `SPEAKER file channel onset duration <NA> <NA> emotion <NA> <NA>`.

    The field of the speaker's name carries the emotion, so that what measures
    diarization measures emotions in time. The file is named without folder and ending;
    the channel is 1 where the recording was not split. Documents may be joined: each
    line says what it is of.
    """
    return "".join(
        f"SPEAKER {_field(Path(row['file']).stem)} {_channel(row)} "
        f"{span.start_ms / 1000:.3f} {(span.end_ms - span.start_ms) / 1000:.3f} "
        f"<NA> <NA> {_field(span.label)} <NA> <NA>\n"
        for row in rows
        for span in spans(row)
    )


def _channel(row: Row) -> str:
    channel = row.get("channel")
    return "1" if channel is None else _field(str(channel))


def _field(text: str) -> str:
    return UNSAFE.sub("_", readable(text))
