"""Whether the last frame of a FLAC file is whole.

A decoder says nothing of a frame that ends too early, and a header that an encoder
wrote to a pipe does not say how long the sound is. But each frame ends with a checksum.

Source: RFC 9639, sections 9.1 and 9.3.
"""

from functools import lru_cache

LONGEST = 1 << 16
"""Bytes at the end among which the last frame is looked for."""


def ends_whole(tail: bytes) -> bool:
    """Whether the bytes at the end of a file end with a frame.

    Args:
        tail: the last `LONGEST` bytes, or all there are.
    """
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        if _is_header(tail, at) and _crc(tail[at:], 0x8005, 16) == 0:
            return True
    return False


def _is_header(data: bytes, at: int) -> bool:
    """Whether a frame's header with a right checksum stands there."""
    if data[at + 1 : at + 2] not in (b"\xf8", b"\xf9") or len(data) < at + 6:
        return False
    size, rate = data[at + 2] >> 4, data[at + 2] & 15
    # The number of the frame, coded as UTF-8 would.
    first = data[at + 4]
    number = 1 if first < 0x80 else 8 - (first ^ 0xFF).bit_length()
    length = 4 + max(1, number)
    length += {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    return _crc(data[at : at + length + 1], 0x07, 8) == 0


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    table, crc = _table(polynomial, bits), 0
    shift, mask = bits - 8, (1 << bits) - 1
    for byte in data:
        crc = (crc << 8 & mask) ^ table[crc >> shift ^ byte]
    return crc


@lru_cache(maxsize=2)
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask, table = 1 << (bits - 1), (1 << bits) - 1, []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & top else 0)) & mask
        table.append(crc)
    return tuple(table)
