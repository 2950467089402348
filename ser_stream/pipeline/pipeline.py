"""The synchronous heart: samples in, predictions and emotions out.

No thread, no clock, no socket, no file. Everything that happens to a sample on its way
to an event is called from `Pipeline.feed`, in this order:

    Blocker -> SpeechGate -> FrontEnd -> ColumnWindow -> Recognizer -> Smoother
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.pipeline.blocks import BLOCK_LENGTH, Blocker
from ser_stream.pipeline.computation import Encode, MakeFrames, Score, Work, answered
from ser_stream.pipeline.front_end import FrontEnd, FrontEndConfig
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.prediction import BlockLevel, level_of, silence, speech
from ser_stream.pipeline.recognizer import Recognizer
from ser_stream.pipeline.smoothing import Smoother, SmoothingConfig
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.vad import GateReading, SpeechGate, SpeechGateConfig
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Block,
    Chunk,
    FloatArray,
    Gap,
    Prediction,
    SpeechWindow,
    StreamEvent,
)
from ser_stream.pipeline.voices.clusters import Voices
from ser_stream.pipeline.voices.who_speaks import WhoSpeaks
from ser_stream.pipeline.window import ColumnWindow

PRE_ROLL = 4800
"""Samples before the beginning of speech that the window takes in; 0.3 s."""
HEARD_S = 1.9125
"""A window is handed to a listener when it is so long, seconds; ..."""
HEARD_EVERY_S = 1.0
"""... and again when so much more has come since."""

MOST_UNFRAMED = 4
"""Blocks of speech whose frames may be made together."""


@dataclass(frozen=True, slots=True)
class StepGrid:
    """When steps fall due, in samples."""

    first: int
    every: int

    def is_due(self, block: Block) -> bool:
        """Whether a step falls due when `block` ends."""
        elapsed = block.end - self.first
        return elapsed >= 0 and elapsed % self.every == 0


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """How often to predict, over how much, and how steady."""

    step_s: float = 0.2
    """Time between predictions, seconds; a multiple of 0.1 from 0.1 to 2."""
    window_s: float | None = None
    """Longest window, seconds; None: the longest that the model was trained for. With
    CPAC's geometry from 0.5125 (1 column) to 2.9125 in steps of 0.1."""
    gate: SpeechGateConfig = field(default_factory=SpeechGateConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    most_speakers: int = 0
    """How many voices are told apart; 0: nobody listens to who speaks."""

    def __post_init__(self) -> None:
        steps = self.step_s * SAMPLE_RATE / BLOCK_LENGTH
        if not 0.1 <= self.step_s <= 2.0 or abs(steps - round(steps)) > 1e-6:
            raise ConfigError(
                f"step is {self.step_s:g} s; allowed: a multiple of 0.1 from 0.1 to 2"
            )

    @property
    def step_blocks(self) -> int:
        return round(self.step_s * SAMPLE_RATE / BLOCK_LENGTH)

    @property
    def recent_blocks(self) -> int:
        """Blocks to keep in silence: what speech may turn out to have begun in."""
        # And the pre-roll, and a block to spare on either side.
        seen_late = self.gate.longest_doubt_s * SAMPLE_RATE + PRE_ROLL
        return math.ceil(seen_late / BLOCK_LENGTH) + 4

    def grid(self, geometry: Geometry) -> "StepGrid":
        """When steps fall due."""
        return StepGrid(geometry.first_step, BLOCK_LENGTH * self.step_blocks)

    def columns(self, geometry: Geometry) -> int:
        """Columns in the longest window.

        Raises:
            ConfigError: if no window of such a network is so short or so long.
        """
        if self.window_s is None:
            return geometry.max_columns
        shortest, longest = (
            geometry.window_length(n) / SAMPLE_RATE for n in (1, geometry.max_columns)
        )
        # Users write 0.5 and 3: what rounds to an allowed window is taken as it.
        if not shortest - 0.05 <= self.window_s <= longest + 0.1:
            raise ConfigError(
                f"window is {self.window_s:g} s; allowed: from {shortest} to "
                f"{longest} s"
            )
        return geometry.columns_of(self.window_s * SAMPLE_RATE)


class Pipeline:
    """One stream. The same samples give the same events, however they are cut."""

    def __init__(
        self,
        recognizer: Recognizer,
        front_end: FrontEndConfig,
        config: PipelineConfig | None = None,
        listener: Callable[[SpeechWindow], None] | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        """Begin a stream.

        The `listener` is handed windows of speech, at most one a step; what it does is
        done before the step's events are out, so let it be quick. The `speaker` is
        somebody who was heard before; by default nobody was.
        """
        self.config = config or PipelineConfig()
        geometry = self._geometry = recognizer.geometry
        n_columns = self.config.columns(geometry)
        self._grid = self.config.grid(geometry)
        self._listener = listener
        # Of the window handed out last: its turn, and the column it ended with.
        self._turn = 0
        self._handed_out = -1
        self._recognizer = recognizer
        self._blocker = Blocker()
        self._gate = SpeechGate(self.config.gate)
        self._front_end = FrontEnd(front_end)
        self._window = ColumnWindow(n_columns, front_end.n_features, geometry)
        self._smoother = Smoother(recognizer.labels, self.config.smoothing, geometry)
        self.speaker = speaker or Speaker(self.config.step_s)
        most = self.config.most_speakers
        self.who = WhoSpeaks(Voices(most)) if most else None
        """Who speaks, where that is asked for."""
        self._waiting: list[Block] = []
        self._recent: deque[Block] = deque(maxlen=self.config.recent_blocks)
        self._framed = -1
        self._unframed = 0
        # The samples of the longest window and a block to begin the frames with, for a
        # successor with another front end.
        longest = geometry.window_length(geometry.max_columns)
        self._past: deque[Block] = deque(maxlen=math.ceil(longest / BLOCK_LENGTH) + 1)
        # Of the blocks of the present step.
        self._levels: deque[BlockLevel] = deque(maxlen=self.config.step_blocks)

    def feed(self, chunk: Chunk) -> list[StreamEvent]:
        """Take any number of samples; return what they cause, in order of time.

        A jump of the sample index is a gap: it is reported, ends the present emotion,
        and resets every stage.

        Raises:
            ValueError: if the chunk begins before the end of the last one.
        """
        return [] if self.absorb(chunk) else answered(self.work_on(chunk))

    def absorb(self, chunk: Chunk) -> bool:
        """Take a chunk in if it causes nothing yet; whether it did."""
        return self._blocker.absorb(chunk)

    def work_on(self, chunk: Chunk) -> Work[list[StreamEvent]]:
        """As `feed`, but what is to be computed is asked for.

        Nothing else may be asked of the pipeline before it is finished.
        """
        events: list[StreamEvent] = []
        for item in self._blocker.feed(chunk):
            if isinstance(item, Gap):
                events += yield from self._end()
                events.append(item)
            else:
                # The blocks of a step are worked on in one go when it falls due: ten
                # short bursts a second cost more than five longer ones.
                self._waiting.append(item)
                if self._grid.is_due(item):
                    events += yield from self._work_off()
        return events

    def take_over_from(self, other: "Pipeline") -> list[StreamEvent]:
        """Go on where `other` stops: another model or configuration, no sample lost.

        `other` must not be fed again. What is in its window is encoded anew; the
        detector of speech, the grid and, with the same labels, the emotion go on.

        Returns:
            The end of an emotion that cannot go on.
        """
        self._blocker, self._gate = other._blocker, other._gate
        self._gate.reconfigure(self.config.gate)
        self._past.extend(other._past)
        self._waiting = other._waiting
        self._recent.extend(other._recent)
        self._levels.extend(other._levels)
        self._framed = other._framed
        self._turn, self._handed_out = other._turn, other._handed_out
        if (self._recognizer, self.config.step_s) == (
            other._recognizer,
            other.config.step_s,
        ):
            # Features of another network mean something else.
            known = self.speaker.known
            self.speaker = other.speaker
            self.speaker.known = known
        if self.who is not None and other.who is not None:
            self.who = other.who
            self.who.voices.most = self.config.most_speakers
        if self._front_end.config == other._front_end.config:
            self._front_end = other._front_end
            self._window.take_over_from(other._window)
        elif other._window.started:
            self._frame_again(other._window.start)
        else:
            # Speech that begins later will make frames from what is recent.
            self._framed = -1
        return [*self._smoother.take_over_from(other._smoother)]

    def _frame_again(self, start: int) -> None:
        blocks = [block for block in self._past if block.index <= self._framed]
        if blocks and not blocks[0].first:
            self._front_end.prime(blocks.pop(0))
        for block in blocks:
            first, frames = self._front_end.feed(block)
            if len(frames):
                self._window.push(first, frames)
        self._window.begin(start)

    @property
    def speech_s(self) -> float:
        """Seconds of speech so far, without the pauses that ended it."""
        return self._gate.speech_samples / SAMPLE_RATE

    def flush(self) -> list[StreamEvent]:
        """End of the stream: run what no step asked for, end the present emotion."""
        return answered(self._end())

    def give_up(self) -> list[StreamEvent]:
        """After a failure: end the present emotion, computing nothing more."""
        return [*self._smoother.flush()]

    def _end(self) -> Work[list[StreamEvent]]:
        events = yield from self._work_off()
        return [*events, *self._smoother.flush()]

    def _work_off(self) -> Work[list[StreamEvent]]:
        events: list[StreamEvent] = []
        readings = yield from self._gate.work_on(self._waiting)
        for block, reading in zip(self._waiting, readings, strict=True):
            events += yield from self._block(block, reading)
        self._waiting.clear()
        return events

    def _block(self, block: Block, reading: GateReading) -> Work[list[StreamEvent]]:
        if block.first:
            self._window.reset()
            self._front_end.reset()
            self._levels.clear()
            self._recent.clear()
            self._past.clear()
            self._unframed = 0
        self._past.append(block)
        n_valid = min(BLOCK_LENGTH, block.end - block.valid_from)
        peak = float(np.abs(block.samples).max())
        self._levels.append(BlockLevel(reading.energy, peak, n_valid))
        is_due = self._grid.is_due(block)
        if reading.began is None and self._unframed:
            yield from self._make_frames()
        self._recent.append(block)
        if self.who is not None:
            self.who.feed(block, reading.began)
        if reading.began is not None:
            self._unframed += 1
            # Of several blocks in one go, but before anything depends on them.
            enough = self._unframed == MOST_UNFRAMED
            if is_due or enough or not self._window.started:
                yield from self._make_frames()
        events: list[StreamEvent] = []
        if reading.began is None:
            if self._window.started:
                # Not at the next step: if steps are long, speech may be back by then.
                self._window.clear()
                self.speaker.pause()
        elif not self._window.started:
            self._window.begin(max(block.valid_from, reading.began - PRE_ROLL))
            self._turn += 1
            self._handed_out = -1
        if not is_due:
            return events
        prediction = yield from self._predict(block)
        return [*events, prediction, *self._smoother.feed(prediction)]

    def _make_frames(self) -> Work[None]:
        # In silence only the newest blocks are kept, and no frame is made: an
        # idle room costs little, and its noises do not move the normalisation.
        if self._recent[0].index != self._framed + 1:
            self._window.reset()
            if not self._recent[0].first:
                # The oldest block only lends its last samples to the next one's frames.
                self._front_end.prime(self._recent.popleft())
        blocks = list(self._recent)
        self._recent.clear()
        self._unframed = 0
        if not blocks:
            return
        made: list[tuple[int, FloatArray]]
        made = yield MakeFrames(self._front_end, blocks)
        for first, frames in made:
            if len(frames):
                self._window.push(first, frames)
        self._framed = blocks[-1].index

    def _predict(self, block: Block) -> Work[Prediction]:
        level = level_of(self._levels)
        frames = self._window.pending()
        if frames is not None:
            columns, state = yield Encode(self._recognizer, frames, self._window.state)
            self._window.add(columns, state)
        if not self._window.started or not len(self._window.columns):
            start = max(block.valid_from, block.end - self.config.step_blocks * 1600)
            return silence(start, block.end, level)
        columns = self._window.columns
        told = None if self._listener is None else self.speaker.snapshot()
        scores: FloatArray = yield Score(self._recognizer, columns, self.speaker)
        if self._listener is not None:
            self._hand_out(self._listener, scores, block.end, told)
        return speech(
            self._recognizer,
            scores,
            self.config.smoothing.uncertain,
            start=self._window.start,
            end=block.end,
            level=level,
            columns=len(columns),
            max_columns=self._window.max_columns,
            familiarity=self.speaker.familiarity,
            speaker=None if self.who is None else self.who.number,
        )

    def _hand_out(
        self,
        listener: Callable[[SpeechWindow], None],
        scores: FloatArray,
        end: int,
        told: Speaker | None,
    ) -> None:
        geometry, newest = self._geometry, self._window.newest
        least = min(
            geometry.columns_of(HEARD_S * SAMPLE_RATE), self._window.max_columns
        )
        every = round(HEARD_EVERY_S * SAMPLE_RATE / geometry.column_hop)
        enough = len(self._window.columns) >= least
        if not enough or 0 <= self._handed_out > newest - every:
            return
        self._handed_out = newest
        frames = self._window.encoded_frames()
        listener(SpeechWindow(frames, scores, end, self._turn, told))
