"""Parquet, by pyarrow: a table of any number of files, a row each.

Columns: `file`, `label`, `confidence`, one for each label of the model, `speech_s`,
`duration_s`, `short`, `cut`, `damaged`, `channel`, and `segments`, a list of structs
with `label`, `start_ms`, `end_ms` and `confidence`. Where it was asked who speaks, a
list `speakers` before it, and `speaker` in the structs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ser_stream.atomic_file import replacing
from ser_stream.commands.exports.spans import Row
from ser_stream.commands.extras import of_extra
from ser_stream.errors import SinkError

GROUP = 1000
"""Rows that are held in memory, and lie together in the file."""
FLAGS = ("short", "cut", "damaged")


@contextmanager
def parquet_table(
    path: Path, labels: Sequence[str], *, speakers: bool = False
) -> Iterator[Callable[[Row], None]]:
    """A table that grows by rows, and takes its place when all are there.

    Inside, call what is given with each row, as `ser-stream recognize` prints it; with
    or without `segments`. If anything is raised inside, the file at `path` stays as it
    was.

    Args:
        path: of the file; what was there is replaced.
        labels: of the model, in the order of the columns.
        speakers: whether rows say who speaks.

    Raises:
        MissingLibraryError: if pyarrow is not installed.
        SinkError: if it cannot be written there.
    """
    with of_extra("frame", "--format parquet"):
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

    segment = [
        ("label", pa.string()),
        ("start_ms", pa.float64()),
        ("end_ms", pa.float64()),
        ("confidence", pa.float64()),
    ]
    whole = []
    if speakers:
        segment.append(("speaker", pa.int32()))
        whole.append(("speakers", pa.list_(pa.int32())))
    schema = pa.schema(
        [
            ("file", pa.string()),
            ("label", pa.string()),
            *((name, pa.float64()) for name in ("confidence", *labels)),
            *((name, pa.float64()) for name in ("speech_s", "duration_s")),
            *((name, pa.bool_()) for name in FLAGS),
            ("channel", pa.int32()),
            *whole,
            ("segments", pa.list_(pa.struct(segment))),
        ]
    )
    waiting: list[dict[str, Any]] = []
    try:
        with replacing(path) as part, ParquetWriter(part, schema) as writer:

            def flush() -> None:
                writer.write_table(pa.Table.from_pylist(waiting, schema))
                waiting.clear()

            def write_row(row: Row) -> None:
                waiting.append(_columns(row))
                if len(waiting) == GROUP:
                    flush()

            yield write_row
            flush()
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror or error}; name another place"
        ) from None


def _columns(row: Row) -> dict[str, Any]:
    # A name that is no UTF-8 is printed with question marks, too.
    file = str(row["file"]).encode(errors="replace").decode()
    flags = {name: bool(row.get(name)) for name in FLAGS}
    return {**row, **(row["scores"] or {}), **flags, "file": file}
