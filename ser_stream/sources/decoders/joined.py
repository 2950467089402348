"""Whether behind a recording another one begins, of which its reader knows nothing.

Of files that are joined end to end, what reads MP4, WMA, CAF and AU reads the first.
"""

import contextlib
import re
from pathlib import Path
from typing import IO

from ser_stream.sources.decoders import Damage

_READ = 1 << 20
_LONGEST = 64
"""Bytes; no pattern is longer."""
_MOST_PARTS = 1_000_000
"""Of an MP4. More are not walked through: a gigabyte may hold 130 million."""
_LONG = 1
"""A size that says: the size stands behind the name, in eight bytes."""


def joined(path: Path) -> Damage | None:
    """What is lost of a regular file because another one is joined to it.

    Of a file that cannot be read nothing is: its decoder tells.
    """
    at = 0
    with contextlib.suppress(OSError), path.open("rb") as file:
        head = file.read(_LONGEST)
        pattern = _pattern(head)
        if pattern is not None:
            at = _search(file, pattern)
        else:
            at = _second_mp4(file) if head[4:8] == b"ftyp" else 0
    return (
        Damage("damaged", f"another one begins at byte {at}, unheard") if at else None
    )


def _pattern(head: bytes) -> re.Pattern[bytes] | None:
    """What a file of the same kind begins with, too long to be there by chance."""
    same = re.escape
    if head[:4] in (b".snd", b"dns."):
        return re.compile(same(head[:8]) + b"(?s:.{4})" + same(head[12:24]))
    if head[:4] == b"caff":
        return re.compile(same(head[:20]))
    if head[:4] == b"TTA1":
        return re.compile(same(head[:14]))
    if head[:4] == b"\x30\x26\xb2\x75":
        return re.compile(same(head[:16]))
    return None


def _search(file: IO[bytes], pattern: re.Pattern[bytes]) -> int:
    """Where it stands a second time; 0 if it does not."""
    file.seek(1)
    begin, data = 1, b""
    while more := file.read(_READ):
        data += more
        if found := pattern.search(data):
            return begin + found.start()
        kept = data[-_LONGEST:]
        begin, data = begin + len(data) - len(kept), kept
    return 0


def _second_mp4(file: IO[bytes]) -> int:
    """Where a second `ftyp` stands among the parts; 0 if there is none.

    Source: ISO/IEC 14496-12, section 4.2.
    """
    at = 0
    end = file.seek(0, 2)
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        if at and head[4:8] == b"ftyp":
            return at
        size = int.from_bytes(head[:4], "big")
        if size == _LONG:
            size = int.from_bytes(head[8:16], "big")
        at += size
        # A size of 64 bits may be more than a file can have.
        if size < 8 or at > end:
            break
    return 0
