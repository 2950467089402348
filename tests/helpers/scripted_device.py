"""A device that says what it is told to."""

from collections.abc import Iterator
from typing import Self

from ser_stream.pipeline.values import AudioInfo, Chunk, Condition


class ScriptedDevice:
    """Gives what it was told to, then ends."""

    def __init__(self, items: Iterator[Chunk | Condition]) -> None:
        self._items = items
        self.info = AudioInfo("mic", "Scripted", 48_000)
        self.live = True
        self.ended = False
        self.skipped = 0

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        item = next(self._items, None)
        self.ended = item is None
        if isinstance(item, Condition) and item.detail == "another one":
            self.info = AudioInfo("mic", "Other", 44_100)
        return item

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def due(self, first: int, every: int) -> None: ...

    def skip_to_newest(self) -> int:
        self.skipped += 1
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...
