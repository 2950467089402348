"""`ser-stream plot`: a recording and what was heard in it, as a picture or a page.

heard     what is drawn: waveform, scores, emotions, from one pass over the file
envelope  a waveform so coarse that hours are drawn at once
clock     seconds as m:ss, for axes and tables
figure    the picture, by matplotlib
page      the picture and a table, as one HTML file
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ser_stream.atomic_file import replacing
from ser_stream.commands.archive.rehearing import rehearable
from ser_stream.commands.exports.spans import readable
from ser_stream.commands.extras import of_extra
from ser_stream.commands.out_file import require_folder_of
from ser_stream.commands.plot.heard import hear, load_model
from ser_stream.commands.stopping import told_if_stopped
from ser_stream.config import ListenConfig
from ser_stream.errors import ConfigError, SinkError

_STOPPED = "stopped; nothing was written"
SUFFIXES = (".png", ".svg", ".pdf", ".html")
"""What the name of the output may end in."""


def plot(
    file: Path,
    out: Path,
    config: ListenConfig,
    start_s: float = 0.0,
    end_s: float | None = None,
    dpi: int = 150,
) -> None:
    """Draw a recording.

    Args:
        file: a recording.
        out: where to; its ending says what it is. What was there is replaced.
        config: model and settings.
        start_s: seconds where the picture begins.
        end_s: where it ends; None for the end of the recording.
        dpi: pixels an inch, of 12 inches; of .png and .html.

    Raises:
        ConfigError: if the ending is not one of `SUFFIXES`, or the stretch is empty.
        SourceError: if the file cannot be read.
        ModelError: if the model cannot be used.
        SinkError: if the output cannot be written.
        MissingLibraryError: if matplotlib is not installed.
        StoppedError: if a signal came before it was written.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"--out {out} ends in {suffix or 'nothing'}; allowed: {', '.join(SUFFIXES)}"
        )
    require_folder_of(out)
    with of_extra("plot", "ser-stream plot"):
        from ser_stream.commands.plot.figure import picture
    from ser_stream.commands.plot.page import page

    # Before anything is begun: a signal while a library is loaded comes as ImportError.
    model = load_model(config)
    # The output is begun before an hour is recognised, so that it is not in vain.
    with (
        told_if_stopped(_STOPPED),
        _written(out) as part,
        rehearable(str(file)) as path,
    ):
        heard = replace(hear(path, model, start_s, end_s), name=readable(file.name))
        if suffix == ".html":
            part.write_text(page(heard, picture(heard, "png", dpi)), "utf-8")
        else:
            part.write_bytes(picture(heard, suffix[1:], dpi))


@contextmanager
def _written(out: Path) -> Iterator[Path]:
    try:
        with replacing(out) as part:
            yield part
    except OSError as error:
        raise SinkError(
            f"{out} cannot be written: {error.strerror or error}; name another place"
        ) from None
