"""How long a file says that it is, where libsndfile keeps that to itself."""

import re
import struct

LOOKED_AT = 64 * 1024
"""Bytes at the beginning that may say it."""


NO_LENGTH = 0x7F000000
"""Programs that write to pipes leave such a number in the header, or a larger one."""


def shortage(head: bytes, size: int) -> str | None:
    """What a header promises beyond what is there, as a reason; None for nothing.

    Args:
        head: the first `LOOKED_AT` bytes.
        size: of the file, bytes.
    """
    whole = promised_size(head)
    if whole is None or not size < whole < NO_LENGTH:
        return None
    return f"its header promises {whole} bytes, and {size} are there"


def promised_size(head: bytes) -> int | None:
    """Bytes that a whole file of NIST Sphere, CAF or VOC has; None if it does not say.

    Args:
        head: the first `LOOKED_AT` bytes.
    """
    if head.startswith(b"NIST_1A"):
        return _sphere(head)
    if head.startswith(b"caff"):
        return _caf(head)
    if head.startswith(b"Creative Voice File") and len(head) >= 30:
        return _voc(head)
    return None


def _sphere(head: bytes) -> int | None:
    found = {
        name: re.search(rb"\n%s -i (\d+)" % name, head)
        for name in (b"sample_count", b"sample_n_bytes", b"channel_count")
    }
    begin = re.match(rb"NIST_1A\s+(\d+)", head)
    coding = re.search(rb"\nsample_coding -s\d+ (\S+)", head)
    if begin is None or (coding is not None and coding[1] not in (b"pcm", b"ulaw")):
        return None
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


def _voc(head: bytes) -> int | None:
    at = int.from_bytes(head[20:22], "little")
    while len(head) >= at + 4 and head[at]:
        size = int.from_bytes(head[at + 1 : at + 4], "little")
        if head[at] in (1, 2, 9):
            return at + 4 + size
        at += 4 + size
    return None
