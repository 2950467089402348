"""How long a file says that it is, where libsndfile keeps that to itself."""

import contextlib
import re
import struct
from pathlib import Path
from typing import IO

_LOOKED_AT = 64 * 1024
"""Bytes at the beginning that may say it."""


NO_LENGTH = 0x7F000000
"""Programs that write to pipes leave such a number in the header, or a larger one."""


def shortage(path: Path) -> str | None:
    """What a regular file promises beyond what is there, as a reason; None for nothing.

    A file that cannot be read has none: its decoder tells.
    """
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = path.stat().st_size
        whole = promised_size(file)
        if whole is not None and size < whole < NO_LENGTH:
            return f"its header promises {whole} bytes, and {size} are there"
    return None


def promised_size(file: IO[bytes]) -> int | None:
    """Bytes that a whole file has by what it says; None if it does not say.

    Of NIST Sphere, CAF, VOC, AVR, WVE and MAT5. Where writers disagree it is the
    smallest of what they mean.

    Args:
        file: which can be sought in.
    """
    head = file.read(_LOOKED_AT)
    if head.startswith(b"Creative Voice File"):
        return _voc(file)
    for magic, promised in _BY_HEAD.items():
        if head.startswith(magic):
            with contextlib.suppress(struct.error):  # the header itself is cut
                return promised(head)
    return None


_PLAIN = (b"pcm", b"alaw", b"ulaw")
"""Codings of NIST Sphere whose samples are of `sample_n_bytes` each."""


def _sphere(head: bytes) -> int | None:
    begin = re.match(rb"NIST_1A\s+(\d{1,18})\s", head)
    if begin is None:
        return None
    # What stands behind may be samples that look like a field.
    head = re.split(rb"(?<=\n)end_head\b", head[: int(begin[1])], maxsplit=1)[0]
    coding = re.search(rb"\nsample_coding -s\d+ (\S+)", head)
    if coding is not None and coding[1] not in _PLAIN:
        return None
    found = {
        # 64 bits; Python refuses to read thousands of digits.
        name: re.search(rb"\n%s -(?:i|s\d+) (\d{1,18})\s" % name, head)
        for name in (b"sample_count", b"sample_n_bytes", b"channel_count")
    }
    size = 1
    for one in found.values():
        if one is None:
            return None
        size *= int(one[1])
    return int(begin[1]) + size


def _caf(head: bytes) -> int | None:
    """Source: Apple's Core Audio Format Specification 1.0."""
    at = 8
    while len(head) >= at + 12:
        size = struct.unpack(">q", head[at + 4 : at + 12])[0]
        if head[at : at + 4] == b"data":
            return None if size < 0 else at + 12 + int(size)
        if size < 0:
            break
        at += 12 + size
    return None


def _avr(head: bytes) -> int:
    """Source: http://fileformats.archiveteam.org/wiki/AVR."""
    stereo, bits = struct.unpack_from(">hH", head, 12)
    length = int.from_bytes(head[26:30], "big")
    return 128 + length * (2 if stereo else 1) * ((int(bits) + 7) // 8)


def _wve(head: bytes) -> int:
    """Source: `wve.c` of libsndfile."""
    return 32 + int.from_bytes(head[18:22], "big")


def _mat5(head: bytes) -> int | None:
    """The matrix with the samples is the second; the first one has the rate.

    Its own length is not believed: libsndfile writes one that is too large by 8.

    Source: MAT-File Format, Level 5, of The MathWorks.
    """
    order = "<" if head[126:128] == b"IM" else ">"

    def element(at: int) -> tuple[int, int]:
        """Where the content of one begins, and its bytes."""
        kind, size = struct.unpack_from(order + "II", head, at)
        # A small one has its size in the upper half, and content instead of a size.
        return (at + 4, kind >> 16) if kind >> 16 else (at + 8, int(size))

    begin, size = element(128)
    begin, _ = element(begin + size)
    for _ in ("flags", "dimensions", "name"):
        begin, size = element(begin)
        begin += size + -(begin + size) % 8
    begin, size = element(begin)
    return begin + size


_BY_HEAD = {
    b"NIST_1A": _sphere,
    b"caff": _caf,
    b"2BIT": _avr,
    b"ALawSoundFile**": _wve,
    b"MATLAB 5.0 MAT": _mat5,
}

_MOST_BLOCKS = 1_000_000
"""Of a VOC. More are not walked through: a gigabyte may hold 250 million."""
_SOUND = (1, 2, 9)
_SURE = 3
"""So many blocks of sound say that what follows is one: sox, and 16 MB and more by
libsndfile, have a length in the first that ends among the samples."""


def _voc(file: IO[bytes]) -> int | None:
    """The end of the block that is cut, or of the first one with sound.

    Source: https://wiki.multimedia.cx/index.php/Creative_Voice.
    """
    file.seek(0, 2)
    size = file.tell()
    file.seek(20)
    at = int.from_bytes(file.read(2), "little")
    heard = 0
    for _ in range(_MOST_BLOCKS):
        file.seek(at)
        block = file.read(4)
        if len(block) < 4 or block[0] not in range(1, 10):
            return None
        end = at + 4 + int.from_bytes(block[1:], "little")
        is_sound = block[0] in _SOUND
        heard += is_sound
        if end >= size:
            return end if is_sound and (heard == 1 or heard > _SURE) else None
        at = end
    return None
