"""A file that a user names for the result of a command."""

import os
import shlex
from pathlib import Path

from ser_stream.errors import SinkError
from ser_stream.paths import is_folder


def require_folder_of(out: Path) -> None:
    """See that the folder of a file is there, before anything is computed.

    It is not made: more often than not its name was typed wrong.

    Raises:
        SinkError: if it is not.
    """
    # A link is replaced where it points to.
    folder = Path(os.path.realpath(out)).parent
    if not is_folder(folder):
        raise SinkError(
            f"there is no folder {folder} for {out.name}; make it first (mkdir -p "
            f"{shlex.quote(str(folder))}), or name another place"
        )
