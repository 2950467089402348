"""How much memory a process has."""

import os
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int:
    """Resident memory of a process, or of this one.

    0 where the system does not tell, and if it has just ended.
    """
    place = Path("/proc") / ("self" if pid is None else str(pid)) / "statm"
    try:
        pages = int(place.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
