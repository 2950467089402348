"""A cut of a recording -> its steps, with the columns that each is about.

What `Pipeline` does with each block, in the same order, but for what is computed: the
frames of a cut are made together, then its columns.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ser_stream.pipeline.batch.columns import Run, Turn
from ser_stream.pipeline.batch.detector import AheadSilero
from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig
from ser_stream.pipeline.loudness import Loudness, LoudnessMeter
from ser_stream.pipeline.pipeline import PRE_ROLL, PipelineConfig
from ser_stream.pipeline.prediction import BlockLevel, Level, level_of
from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import Block, FloatArray
from ser_stream.pipeline.voices.clusters import Voices
from ser_stream.pipeline.voices.who_speaks import WhoSpeaks
from ser_stream.pipeline.window import Extent


@dataclass(slots=True, eq=False)
class Step:
    """A step that fell due."""

    start: int
    """Sample index at which its evidence begins, or its samples in silence."""
    end: int
    """Sample index at which it fell due."""
    level: Level
    """Of its samples."""
    speech_samples: int
    """Of speech up to it, by the gate."""
    paused: bool
    """Whether speech ended after the step before."""
    columns: FloatArray | None = None
    """Of its window, (n, ...); None without speech."""
    speaker: int | None = None
    """Number of who speaks, where that is asked for and known."""


@dataclass(slots=True, eq=False)
class _Framing:
    """Blocks in a row that wait for their frames."""

    blocks: list[Block]
    prime: Block | None = None
    """The one before them, if they do not go on where others ended."""


class Steps:
    """One recording: samples -> steps; the same however they are cut."""

    def __init__(
        self, recognizer: Recognizer, front_end: FrontEndConfig, config: PipelineConfig
    ) -> None:
        self._recognizer, self._config = recognizer, config
        self._geometry = recognizer.geometry
        self._grid = config.grid(self._geometry)
        gate = config.gate
        self._meter = LoudnessMeter(gate.wake_dbfs, gate.wake_above_floor_db)
        self._detector = AheadSilero()
        self._gate = SpeechGate(gate, self._detector)
        most = config.most_speakers
        self._who = WhoSpeaks(Voices(most)) if most else None
        self._front_end = FrontEnd(front_end)
        self._extent = Extent(config.columns(self._geometry), self._geometry)
        self._recent: deque[Block] = deque(maxlen=config.recent_blocks)
        self._levels: deque[BlockLevel] = deque(maxlen=config.step_blocks)
        self._paused = False
        self._framed = -1
        # Before sample 0, the first block has zeros.
        self._rest = np.zeros(BLOCK_LENGTH - BLOCK_PHASE, np.float32)
        self._next = 0
        # Numbers of runs go on; of the newest, the last frames are kept.
        self._run = 0
        self._runs = {0: Run(0, np.zeros((0, front_end.n_features), np.float32))}
        self._framing = {0: _Framing([])}
        self._turn: Turn | None = None

    @property
    def max_columns(self) -> int:
        """In the longest window."""
        return self._extent.max_columns

    @property
    def speech_samples(self) -> int:
        """Of speech so far, by the gate."""
        return self._gate.speech_samples

    def feed(self, samples: FloatArray) -> list[Step]:
        """The steps that fall due within a cut; samples are (n,), 16 kHz."""
        blocks = self._blocks(samples)
        if not blocks:
            return []
        steps: list[Step] = []
        spoken: list[tuple[Turn, Step]] = []
        for block, loudness, peak in zip(blocks, *self._measured(blocks), strict=True):
            n_valid = min(BLOCK_LENGTH, block.end)
            self._levels.append(BlockLevel(loudness.energy, peak, n_valid))
            self._take(block, loudness)
            if self._grid.is_due(block):
                steps.append(self._step(block))
                if self._turn is not None and self._extent.count:
                    spoken.append((self._turn, steps[-1]))
        self._compute(spoken)
        return steps

    def _blocks(self, samples: FloatArray) -> list[Block]:
        samples = np.concatenate([self._rest, samples])
        n = len(samples) // BLOCK_LENGTH
        self._rest = samples[n * BLOCK_LENGTH :].copy()
        rows = samples[: n * BLOCK_LENGTH].reshape(n, BLOCK_LENGTH)
        begin, self._next = self._next, self._next + n
        return [Block(begin + i, row, 0, begin + i == 0) for i, row in enumerate(rows)]

    def _measured(self, blocks: list[Block]) -> tuple[list[Loudness], list[float]]:
        """How loud each is, and its peak."""
        rows = np.array([block.samples for block in blocks])
        exact = rows.astype(np.float64)
        found = [
            self._meter.feed(float(row @ row), total)
            for row, total in zip(exact, exact.sum(1).tolist(), strict=True)
        ]
        self._detector.look(rows, found, blocks[0].end)
        return found, np.abs(rows).max(1).tolist()

    def _take(self, block: Block, loudness: Loudness) -> None:
        began = self._gate.decide(block, loudness).began
        self._recent.append(block)
        if self._who is not None:
            self._who.feed(block, began)
        if began is None:
            if self._extent.started:
                self._extent.clear()
                self._turn, self._paused = None, True
            return
        self._frame_recent()
        if not self._extent.started:
            self._extent.begin(max(0, began - PRE_ROLL))
            self._turn = Turn(self._run, self._extent.first)

    def _frame_recent(self) -> None:
        recent = list(self._recent)
        self._recent.clear()
        if recent[0].index != self._framed + 1:
            self._extent.reset()
            self._run += 1
            prime = None if recent[0].first else recent.pop(0)
            self._framing[self._run] = _Framing([], prime)
        for block in recent:
            first, n = self._front_end.mfcc.frames_of(block)
            if n:
                self._extent.push(first, n)
            self._framed = block.index
        self._framing[self._run].blocks += recent

    def _step(self, block: Block) -> Step:
        level, extent = level_of(self._levels), self._extent
        todo = extent.pending()
        if todo is not None:
            extent.add(extent.newest - todo + 1)
        start = max(0, block.end - BLOCK_LENGTH * self._config.step_blocks)
        if extent.count:
            assert self._turn is not None
            start = extent.start
            self._turn.windows.append((extent.first, extent.first + extent.count - 1))
        paused, self._paused = self._paused, False
        return Step(
            start,
            block.end,
            level,
            self._gate.speech_samples,
            paused,
            speaker=None if self._who is None else self._who.number,
        )

    def _compute(self, spoken: list[tuple[Turn, Step]]) -> None:
        """Give the steps with speech their columns."""
        for number, framing in self._framing.items():
            if framing.prime is not None:
                self._front_end.prime(framing.prime)
            if framing.blocks:
                first, frames = self._front_end.feed_many(framing.blocks)
                before = self._runs.get(number)
                if before is not None and len(before.frames):
                    first = before.first
                    frames = np.concatenate([before.frames, frames])
                self._runs[number] = Run(first, frames)
        for turn in dict.fromkeys(turn for turn, _ in spoken):
            columns = turn.fill(self._recognizer, self._runs[turn.run])
            steps = [step for other, step in spoken if other is turn]
            for step, window in zip(steps, columns, strict=True):
                step.columns = window
        self._forget()

    def _forget(self) -> None:
        """Keep what the next cut may need: a window's frames and columns."""
        newest = self._runs.get(self._run)
        self._runs, self._framing = {}, {self._run: _Framing([])}
        if newest is not None:
            surplus = max(0, len(newest.frames) - self._extent.size)
            frames = newest.frames[surplus:].copy()
            self._runs[self._run] = Run(newest.first + surplus, frames)
        if self._turn is not None:
            self._turn.forget(self.max_columns)
