"""ELAN's annotation files, by pympi: emotions and their confidence as tiers.

https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from collections.abc import Sequence
from pathlib import Path

from ser_stream.commands.exports.spans import Row, apart, readable, spans, tiers
from ser_stream.commands.extras import of_extra

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
MEDIA_TYPES = {
    ".aif": "audio/x-aiff",
    ".aiff": "audio/x-aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/x-wav",
    ".webm": "video/webm",
}
"""As ELAN names them; Python's own table differs between its versions."""
UNKNOWN = "unknown"
"""ELAN's word for all others; it then looks at the file."""


def eaf(rows: Sequence[Row]) -> str:
    """A tier `emotion` and a tier `confidence`, for each channel if there are several.

    A tier `speaker` too, where it was asked who speaks. It links the recording, by its
    path and as a file beside the document. An emotion that another overlaps ends where
    the other begins: on a tier, ELAN allows no other.

    Raises:
        MissingLibraryError: if pympi-ling is not installed.
    """
    with of_extra("export", "--format eaf"):
        from pympi.Elan import Eaf, to_string

    document = Eaf(author="ser-stream")
    document.remove_tier("default")
    document.header = {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    for file in dict.fromkeys(row["file"] for row in rows):
        path = Path(file)
        # ELAN writes and reads both as they are, without percent signs.
        document.add_linked_file(
            f"file://{readable(str(path.absolute()))}",
            relpath=f"./{readable(path.name)}",
            mimetype=MEDIA_TYPES.get(path.suffix.lower(), UNKNOWN),
        )
    for row in rows:
        found = apart(spans(row))
        for name, values in tiers(row, found).items():
            document.add_tier(name)
            for span, text in zip(found, values, strict=True):
                if text:
                    document.add_annotation(name, span.start_ms, span.end_ms, text)
    return DECLARATION + str(to_string(document)) + "\n"
