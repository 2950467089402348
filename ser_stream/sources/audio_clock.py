"""One time line for a device that is opened again and again."""

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk

_SLACK_S = 0.25


class AudioClock:
    """Puts chunks of each opening, which count from 0, where they belong.

    What was missed between two openings is the time that passed meanwhile, by the
    computer's clock. Sound cards' clocks differ from that by seconds a day, so a
    position is not simply the time since the beginning: after a month that would report
    a minute lost that was recorded, or swallow one that was not. The time since the
    beginning only takes out, a little each time, the errors of measuring.
    """

    def __init__(self, ahead: int | None = None) -> None:
        """Begin; `ahead` is where a device's count is to lie in the blocks.

        Its sample 0 lies so many samples before the beginning of a block: of the first
        opening they are left out, later ones are moved by half a block at most.
        """
        self._ahead = ahead
        self._origin: float | None = None
        self._left: float | None = None
        self._offset: int | None = None
        self._next = 0

    @property
    def next(self) -> int:
        """Sample index that comes next, unless the device was closed meanwhile."""
        return self._next

    def place(self, chunk: Chunk, began: float) -> Chunk:
        """The same samples on the time line.

        Args:
            chunk: with a start that counts from when the device was opened.
            began: `boot_clock.elapsed` at sample 0 of this opening.
        """
        if self._offset is None:
            left_out = self._ahead if self._origin is None and self._ahead else 0
            start = self._begin(began + (chunk.start + left_out) / SAMPLE_RATE)
            self._offset = self._aligned(start - left_out - chunk.start, chunk.start)
        start, samples = chunk.start + self._offset, chunk.samples
        if start < 0:
            start, samples = 0, samples[-start:]
        placed = Chunk(start, samples, chunk.arrived)
        self._next = placed.end
        return placed

    def _aligned(self, offset: int, start: int) -> int:
        if self._ahead is None:
            return offset
        half = BLOCK_LENGTH // 2
        offset -= (offset + self._ahead + half) % BLOCK_LENGTH - half
        behind = self._next > 0 and offset + start <= self._next
        return offset + BLOCK_LENGTH if behind else offset

    def leave(self, began: float) -> None:
        """Note that the device was closed; `began` as above."""
        if self._offset is not None:
            self._left = began + (self._next - self._offset) / SAMPLE_RATE
            self._offset = None

    def _begin(self, now: float) -> int:
        if self._origin is None or self._left is None:
            self._origin = now
            return 0
        missed = max(0.0, now - self._left)
        slack = min(_SLACK_S, missed / 2)
        error = now - self._origin - self._next / SAMPLE_RATE - missed
        missed += min(max(error, -slack), slack)
        # However short it was, it is a gap.
        return self._next + max(1, round(missed * SAMPLE_RATE))
