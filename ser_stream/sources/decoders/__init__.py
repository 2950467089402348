"""Bytes of recordings -> frames of samples: one way for files and pipes.

containers      which containers there are, by their first bytes, and what reads each
byte_stream     a file, a pipe or standard input, whose beginning can be looked at
opening         the container of a stream -> what decodes it

encoding        bytes of bare samples -> numbers
raw, wav        bare samples, and the WAV family, as they come
flac            FLAC as it comes, by libsndfile; flac_frames: is its last one whole
undisturbed     calls that no signal may interrupt, as those that call back are
mpeg, ogg       MP3 and Ogg as they come, by libsndfile, cut into the recordings within
links           what MPEG and Ogg have in common: a splitter in front of a pipe
joined          does another one follow that is not read
sndfile         what libsndfile has to seek in; promised: how long it says it is
ffmpeg          what libsndfile does not know, by an installed ffmpeg
timeline        the clock of a container: sound that begins late, or has holes
held_signals    those that come while ffmpeg begins
spool           a pipe that has to be sought in is written to a file first
chatter         what C libraries print
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from ser_stream.pipeline.values import FloatArray

MIN_RATE, MAX_RATE = 1000, 768_000
"""Hertz; outside of them a header is damaged."""
MAX_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a recording gave less than it should."""

    kind: Literal["cut", "damaged"]
    """`cut`: its end is missing; `damaged`: something before that."""
    reason: str
    """One readable line, to follow a colon."""


def wrong_form(rate: int, channels: int) -> str | None:
    """What no recording has, to follow its name; None if all is well."""
    if not MIN_RATE <= rate <= MAX_RATE:
        return f"has a rate of {rate} Hz; allowed: {MIN_RATE} to {MAX_RATE}"
    if channels > MAX_CHANNELS:
        return f"has {channels} channels; allowed: 1 to {MAX_CHANNELS}"
    return None


class Decoder(Protocol):
    """Frames of samples, at their own rate, in order and once."""

    rate: int
    """Hertz, of the present recording."""
    channels: int

    @property
    def damage(self) -> Damage | None:
        """What was found so far; all of it once the end is reached."""

    def read(self, n: int, /) -> FloatArray:
        """The next frames, (m, channels) with m from 1 to n; m is 0 at the end.

        Raises:
            SourceError: if there is nothing that can be heard at all.
        """

    def next_recording(self) -> bool:
        """At an end: whether another recording is joined to it, and was begun.

        Its rate and channels may be others.
        """

    def close(self) -> None:
        """Free what was opened; `read` must not be called any more."""
