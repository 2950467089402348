"""Blocks of a stream -> the number of whoever speaks now; causal."""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.values import SAMPLE_RATE, Block, FloatArray
from ser_stream.pipeline.voices.clusters import Sum, Voices
from ser_stream.pipeline.voices.encoder import WINDOW_LENGTH, VoiceEncoder

FIRST = round(1.2 * SAMPLE_RATE)
"""Samples of a turn before it is listened to: shorter ones say little of a voice."""
EVERY = round(0.8 * SAMPLE_RATE)
"""Samples until it is listened to again."""
NEW = 2 * SAMPLE_RATE
"""Samples of a turn before its voice may be a new one."""
LONGEST = 10
"""Windows that a turn is judged by, 8.8 s: in a longer one somebody else may speak."""


class Encoder(Protocol):
    """What makes an embedding of a window; see `VoiceEncoder`."""

    def embedding(self, samples: FloatArray, /) -> FloatArray:
        """Samples, (n,) -> (256,), norm 1."""


class WhoSpeaks:
    """Follows the turns of a stream, and learns its voices by them.

    A turn is speech between two pauses. At 1.2 s of it, and every 0.8 s from there, the
    last 1.6 s are embedded; the sum of the embeddings says whose voice it is.
    """

    def __init__(
        self, voices: Voices | None = None, encoder: Encoder | None = None
    ) -> None:
        """Begin a stream.

        Args:
            voices: that are known before; None for nobody.
            encoder: other than the packaged one.

        Raises:
            ModelError: if the packaged one cannot be loaded.
        """
        self.voices = voices or Voices()
        self._encoder = encoder or VoiceEncoder()
        # The window, and a block more: a turn begins within one.
        self._blocks: deque[Block] = deque(maxlen=WINDOW_LENGTH // BLOCK_LENGTH + 1)
        self._began: int | None = None
        self._end = 0
        self.forget_turn()

    @property
    def number(self) -> int | None:
        """Of the present voice; None in silence, and while too little was said."""
        return self._number

    def feed(self, block: Block, began: int | None) -> None:
        """Take the next block.

        Args:
            block: the next on the grid; one that follows a gap begins anew.
            began: sample index at which the present speech began; None in silence.
        """
        if block.first or began != self._began:
            self._learn()
            self.forget_turn()
            if block.first:
                self._blocks.clear()
            self._began = began
            if began is not None:
                self.voices.forget_old(block.end)
        self._blocks.append(block)
        if began is None:
            # Whether anybody speaks again or not.
            self.voices.forget_old(block.end)
            return
        self._end = block.end
        heard = block.end - began
        if heard >= self._next:
            self._next += -(-(heard - self._next + 1) // EVERY) * EVERY
            self._listen(began, heard)

    def end_turn(self) -> None:
        """Nothing will come for a while: learn what was heard, and keep no more."""
        self._learn()
        self.forget_turn()
        self._blocks.clear()
        self._began = None

    def forget_turn(self) -> None:
        """Nothing is known of the present turn: whom it was taken for may be gone."""
        self._number: int | None = None
        self._new: int | None = None
        self._windows: deque[FloatArray] = deque(maxlen=LONGEST)
        self._unlearnt = 0
        self._learnt_to = 0
        self._next = FIRST

    def _listen(self, began: int, heard: int) -> None:
        samples = np.concatenate([block.samples for block in self._blocks])
        window = samples[-min(WINDOW_LENGTH, heard, len(samples)) :]
        self._windows.append(self._encoder.embedding(window))
        self._unlearnt += 1
        total = _sum(self._windows)
        number = self.voices.matching(total)
        if number is None and heard >= NEW:
            if self._new is None:
                self._new = self.voices.new_number()
            number = self._new
        self._number = number
        if self._unlearnt == LONGEST:
            self._learn()

    def _learn(self) -> None:
        if self._number is None or not self._unlearnt or self._began is None:
            return
        windows = list(self._windows)[-self._unlearnt :]
        total = _sum(windows)
        since = max(self._began, self._learnt_to)
        self._number = self.voices.learn(
            self._number,
            total,
            float(len(windows)),
            (self._end - since) / SAMPLE_RATE,
            self._end,
        )
        self._unlearnt, self._learnt_to = 0, self._end


def _sum(windows: Iterable[FloatArray]) -> Sum:
    total: Sum = np.sum(list(windows), axis=0, dtype=np.float64)
    return total
