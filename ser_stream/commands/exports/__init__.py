"""What was recognised, in the files of other programs.

    require("srt")  # before an hour is recognised in vain
    write_document(Path("talk.srt"), "srt", [row])

A row is what `ser-stream recognize --segments` prints of a file. A document is of one
recording: one row, or one for each of its channels.

spans      the emotions of a row as all documents take them; names that harm none
subtitles  SubRip and WebVTT
audacity   Audacity's labels
textgrid   Praat's TextGrid
rttm       RTTM, of diarization
eaf        ELAN
parquet    a table of any number of files
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ser_stream.atomic_file import replace_file
from ser_stream.commands.exports.audacity import audacity
from ser_stream.commands.exports.eaf import eaf
from ser_stream.commands.exports.rttm import rttm
from ser_stream.commands.exports.spans import Row
from ser_stream.commands.exports.subtitles import srt, vtt
from ser_stream.commands.exports.textgrid import textgrid
from ser_stream.commands.extras import of_extra
from ser_stream.errors import SinkError


@dataclass(frozen=True, slots=True)
class Document:
    """A format that holds the emotions of one recording."""

    suffix: str
    """Of its files, with the dot, in the case that its programs write."""
    render: Callable[[Sequence[Row]], str]
    """The document of a recording's rows; see `ser_stream.commands.exports.spans`. It
    is well-formed Unicode, whatever the name of the file."""
    module: str | None = None
    """The module that writes it, of the extra `export`; None where none is needed."""


DOCUMENTS: dict[str, Document] = {
    "srt": Document(".srt", srt, "pysubs2"),
    "vtt": Document(".vtt", vtt, "pysubs2"),
    "audacity": Document(".txt", audacity),
    "textgrid": Document(".TextGrid", textgrid, "praatio"),
    "rttm": Document(".rttm", rttm),
    "eaf": Document(".eaf", eaf, "pympi"),
}
"""By the name that `--format` takes."""


def require(format: str) -> None:
    """See that a format's library is there.

    Raises:
        MissingLibraryError: if it is not.
    """
    module = DOCUMENTS[format].module
    if module is not None:
        with of_extra("export", f"--format {format}"):
            import_module(module)


def write_document(path: Path, format: str, rows: Sequence[Row]) -> None:
    """Write the document of a recording, whole or not at all.

    Args:
        path: where to; what was there is replaced.
        format: a key of `DOCUMENTS`.
        rows: of the recording: one, or one a channel.

    Raises:
        MissingLibraryError: if the format's library is not installed.
        SinkError: if it cannot be written there, or the format cannot hold it.
    """
    text = DOCUMENTS[format].render(rows)
    try:
        replace_file(path, text)
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror}; name another place"
        ) from None
