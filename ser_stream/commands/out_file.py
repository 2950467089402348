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
    if is_folder(folder):
        return
    # A link that leads back to itself is there, too, and no folder.
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not is_folder(there):
        raise SinkError(
            f"{there} is no folder, so that {out.name} cannot be written there; name "
            "another place"
        )
    raise SinkError(
        f"there is no folder {folder} for {out.name}; make it first (mkdir -p "
        f"{shlex.quote(str(folder))}), or name another place"
    )
