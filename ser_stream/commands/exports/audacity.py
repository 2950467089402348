"""Audacity's labels: a line for each emotion, its times in seconds, tabs between.

https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from collections.abc import Sequence

from ser_stream.commands.exports.spans import Row, of_channel, spans


def audacity(rows: Sequence[Row]) -> str:
    """A label track; import it by File > Import > Labels."""
    lines = [
        (span.start_ms, span.end_ms, of_channel(row, span.text))
        for row in rows
        for span in spans(row)
    ]
    return "".join(
        f"{start / 1000:.6f}\t{end / 1000:.6f}\t{text}\n"
        for start, end, text in sorted(lines)
    )
