"""Good recordings, cut, flipped and joined: what disks, networks and crashes make."""

from collections.abc import Iterator, Sequence

import numpy as np

MOST_BYTES = 400_000


def damaged(
    good: Sequence[tuple[str, bytes]], n: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """So many damaged files: a name that says what was done, and the bytes.

    Args:
        good: names and bytes of recordings.
        n: how many.
        seed: the same one gives the same files.
    """
    rng = np.random.default_rng(seed)
    for k in range(n):
        index, other = rng.integers(len(good), size=2)
        name, content = good[index]
        what = ("cut", "flip", "join", "hole", "head", "insert")[rng.integers(6)]
        data = bytearray(content[:MOST_BYTES])
        at = int(rng.integers(1, max(2, len(data))))
        if what == "cut":
            del data[at:]
        elif what == "flip":
            for place in rng.integers(len(data), size=rng.integers(1, 30)):
                data[place] ^= 1 << int(rng.integers(8))
        elif what == "join":
            data = data[:at] + bytearray(good[other][1][:MOST_BYTES])
        elif what == "hole":
            data[at : at + int(rng.integers(1, 5000))] = b""
        elif what == "head":
            for place in rng.integers(min(128, len(data)), size=rng.integers(1, 6)):
                data[place] = int(rng.integers(256))
        else:
            data[at:at] = rng.bytes(int(rng.integers(1, 5000)))
        yield f"{k:05d}-{what}-{name}", bytes(data)
