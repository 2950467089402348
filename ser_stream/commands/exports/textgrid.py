"""Praat's TextGrid, by praatio: emotions and their confidence as interval tiers."""

from collections.abc import Sequence

from ser_stream.commands.exports.spans import Row, apart, spans, tiers
from ser_stream.commands.extras import of_extra


def textgrid(rows: Sequence[Row]) -> str:
    """A tier `emotion` and a tier `confidence`, for each channel if there are several.

    A tier `speaker` too, where it was asked who speaks. They cover the whole recording:
    where there is no emotion, an interval is empty. An emotion that another overlaps
    ends where the other begins.

    Raises:
        MissingLibraryError: if praatio is not installed.
    """
    with of_extra("export", "--format textgrid"):
        from praatio.utilities.textgrid_io import getTextgridAsStr

    found = [apart(spans(row)) for row in rows]
    ends = [span.end_ms / 1000 for tier in found for span in tier]
    # A grid needs a length, and a time that was rounded may lie behind the end.
    end = max(0.001, *(row["duration_s"] for row in rows), *ends)
    made = []
    for row, tier in zip(rows, found, strict=True):
        times = [(span.start_ms / 1000, span.end_ms / 1000) for span in tier]
        made += [
            {
                "class": "IntervalTier",
                "name": name,
                "xmin": 0.0,
                "xmax": end,
                "entries": [
                    (*time, text) for time, text in zip(times, values, strict=True)
                ],
            }
            for name, values in tiers(row, tier).items()
        ]
    grid = {"xmin": 0.0, "xmax": end, "tiers": made}
    return str(getTextgridAsStr(grid, "long_textgrid", includeBlankSpaces=True))
