"""Recordings, however they come, -> chunks at 16 kHz, and what is wrong with them."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk
from ser_stream.sources.channels import MIX
from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.decoders.opening import open_decoder
from ser_stream.sources.intake import Intake

_LOGGER = logging.getLogger(__name__)
BETWEEN = 1
"""Samples from the end of a recording to one that is joined to it: a gap, which resets
all, and moves no time that anybody could notice."""
FIRST_LENGTH = BLOCK_PHASE + BLOCK_LENGTH
"""Samples at 16 kHz that are read when it is opened; after them and two chunks of a
step's length the first prediction falls due."""
PIECE_LENGTH = 16 * SAMPLE_RATE
"""Samples that are read at once where nobody waits for them."""
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a recording is read, and how."""

    raw: RawForm | None = None
    """What samples are that have no header; None where there must be one."""
    channel: str = MIX
    called: str | None = None
    """What messages call it; None for its name."""


class Recorded:
    """A recording, and those that are joined to it, each at its own rate."""

    def __init__(self, stream: ByteStream, wanted: Wanted | None = None) -> None:
        """Open it; the stream is closed with it, and if it is none.

        Raises:
            SourceError: if it is no audio that can be read, or holds none.
        """
        self.name = stream.name
        self._stream = stream
        self._wanted = wanted or Wanted()
        self._decoder = open_decoder(stream, self._wanted.raw)
        self.damage: Damage | None = None
        """Why it gave less than it should; known at its end."""
        self.ended = False
        self._ready: deque[Chunk] = deque()
        self._joined = self._heard = False
        try:
            self._intake = self._new_intake(0)
            # What holds nothing is refused at once.
            while not (self._ready or self.ended):
                self._read_on(self._frames_of(FIRST_LENGTH))
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path | str, wanted: Wanted | None = None) -> Self:
        """Open a file or a named pipe; `-` is standard input.

        Raises:
            SourceError: see above.
        """
        return cls(open_stream(str(path), wanted.called if wanted else None), wanted)

    def chunks(
        self, progress: Callable[[float], None] | None = None
    ) -> Iterator[Chunk]:
        """All of it in large pieces; a jump of the index is a gap.

        Args:
            progress: told how much of it was read, 0 to 1.

        Raises:
            SourceError: if nothing at all can be heard.
        """
        while (chunk := self.next(PIECE_LENGTH)) is not None:
            if progress is not None:
                progress(self.share or 0.0)
            yield chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _new_intake(self, start: int) -> Intake:
        decoder = self._decoder
        return Intake(
            self.name, decoder.rate, decoder.channels, self._wanted.channel, start
        )

    @property
    def rate(self) -> int:
        """Hertz, of the present recording."""
        return self._decoder.rate

    @property
    def channels(self) -> int:
        return self._decoder.channels

    @property
    def end(self) -> int:
        """Sample index after what was read, at 16 kHz."""
        return self._intake.end

    @property
    def share(self) -> float | None:
        """How much of the file was read, 0 to 1; None of a pipe."""
        size = self._stream.size
        return None if not size else min(1.0, self._stream.position / size)

    def next(self, n: int) -> Chunk | None:
        """The next chunk, of about n samples at 16 kHz; None at the end.

        Raises:
            SourceError: if nothing at all can be heard.
        """
        while not self._ready:
            if self.ended:
                return None
            self._read_on(self._frames_of(n))
        return self._ready.popleft()

    def _frames_of(self, n: int) -> int:
        return max(1, round(n * self.rate / SAMPLE_RATE))

    def _read_on(self, n: int) -> None:
        frames = self._decoder.read(n)
        self._heard = self._heard or bool(len(frames))
        last = not len(frames)
        for chunk in self._intake.take(frames, last=last):
            if len(chunk.samples):
                joined = self._joined
                self._ready.append(replace(chunk, gap="joined") if joined else chunk)
                self._joined = False
        if not last:
            return
        self._note_bad_samples()
        self._note(self._decoder.damage, self._intake.end / SAMPLE_RATE)
        if self._decoder.next_recording():
            before = self._intake
            try:
                self._intake = self._new_intake(before.end + BETWEEN)
            except SourceError as error:
                # It has no such channel.
                self._note(
                    Damage("damaged", f"of what is joined to it: {error}"),
                    before.end / SAMPLE_RATE,
                )
                self.ended = True
                return
            self._intake.warned = before.warned
            self._joined = True
            return
        # What is behind it may show that there should be more.
        self._note(self._decoder.damage, self._intake.end / SAMPLE_RATE)
        self.ended = True
        if not self._intake.end:
            # Less than one sample at 16 kHz is still something.
            self._ready.append(Chunk(0, np.zeros(0, np.float32)))
        if not self._heard:
            reason = self.damage.reason if self.damage else "empty or cut short"
            raise SourceError(f"{self.name} holds no samples: {reason}")

    def _note_bad_samples(self) -> None:
        intake = self._intake
        if intake.first_bad is not None:
            lost_s = intake.bad / intake.kind[0]
            reason = (
                f"sample {intake.first_bad} is not a number (NaN or infinite); with "
                f"all like it {lost_s:.2f} s are left out"
            )
            self._note(Damage("damaged", reason), intake.first_bad / intake.kind[0])

    def _note(self, damage: Damage | None, at_s: float) -> None:
        if damage is None or self.damage is not None:
            return
        self.damage = damage
        what = "cut short" if damage.kind == "cut" else "damaged"
        _LOGGER.warning("%s is %s at %.2f s: %s", self.name, what, at_s, damage.reason)

    def close(self) -> None:
        self._decoder.close()


def open_stream(name: str, called: str | None = None) -> ByteStream:
    """The bytes of a file or a named pipe, or with `-` of standard input.

    Raises:
        SourceError: if it cannot be read.
    """
    if name == STDIN:
        return ByteStream.standard_input()
    return ByteStream.open(Path(name), called)


def read_chunks(path: Path, wanted: Wanted | None = None) -> Iterator[Chunk]:
    """All samples of a file, mono at 16 kHz, in pieces; a jump is a gap.

    Raises:
        SourceError: if it cannot be read, or holds nothing.
    """
    with Recorded.open(path, wanted) as recorded:
        yield from recorded.chunks()


def length_of(path: Path) -> float:
    """Seconds of a file, by reading it: headers promise what they like.

    Raises:
        SourceError: if it cannot be read, or holds nothing.
    """
    with Recorded.open(path) as recorded:
        for _ in recorded.chunks():
            pass
        return recorded.end / SAMPLE_RATE
