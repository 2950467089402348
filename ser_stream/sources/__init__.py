"""Where samples come from: `mic`, `mic:NAME`, a file, or `-` for standard input.

file, array               recordings and pipes, and samples that a program has
recorded                  bytes -> frames -> chunks, and what is wrong with them
decoders/                 containers: what each is, and what reads it
rereadable                a recording for who hears it whole, as often as it takes
pacing                    a recording at real-time pace
intake                    recordings: damaged samples, full scale, one index
network/                  audio that clients send to `ser-stream serve`
channels, resample        any channels and rate -> mono at 16 kHz
each                      one source, one stream for each of its channels
named                     what several inputs are called

microphone                one opening of a device, by portaudio's callbacks
ring                      between these callbacks and the reading thread
device_clock, dead_signal what a device loses; exact zeros
reconnecting_microphone   outlasts the device, by the next ones
audio_clock, boot_clock   one time line over all openings, also while the machine slept
reconnect, backoff        when to try again
background_open           opening, beside the reading thread
device_changes            signs that a device has come
device_identity           which of the devices is the one that was lost
devices, pulse            which there are, by PortAudio and by PulseAudio
pulse_connection          how PulseAudio's library connects: without shared memory
portaudio, alsa_messages  the libraries: started anew, and kept quiet
alsa_plugins              what only the list of devices needed, let go of
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SAMPLE_RATE, AudioInfo, Chunk, Condition
from ser_stream.sources.channels import EACH, MIX
from ser_stream.sources.channels import checked as checked_channel
from ser_stream.sources.decoders import MAX_CHANNELS, MAX_RATE, MIN_RATE, Damage
from ser_stream.sources.decoders.encoding import RAW_DTYPES, RawEncoding, RawForm

if TYPE_CHECKING:
    from ser_stream.sources.file import FileSource
    from ser_stream.sources.reconnecting_microphone import ReconnectingMicrophone
    from ser_stream.sources.recorded import Wanted

Pace = Literal["realtime", "fast"]


class Source(Protocol):
    """Delivers mono chunks at 16 kHz; a context manager that frees what it opened."""

    @property
    def info(self) -> AudioInfo:
        """Which input this is."""

    @property
    def live(self) -> bool:
        """True where audio comes at its own pace, so that nothing may hold it up."""

    @property
    def ended(self) -> bool:
        """True when no chunk will come any more."""

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        """The next chunk, or what became of the source, or None after `timeout` s.

        Raises:
            SourceError: if the input turns out to be unreadable.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


@runtime_checkable
class Device(Source, Protocol):
    """A source that can be released and taken again, and that never waits."""

    def pause(self) -> None:
        """Release the device; `read` returns that, and then nothing."""

    def resume(self) -> None:
        """Take it again; `read` returns when that worked."""

    def skip_to_newest(self) -> int:
        """Throw away what was not read yet; return how many samples."""

    def due(self, first: int, every: int) -> None:
        """What comes is worked on when so many samples are there, and `every` more.

        So `read` need not return sooner: each time costs a cold start of all caches.
        """


@runtime_checkable
class MayBeDamaged(Protocol):
    """A source that may give less than it should."""

    @property
    def damage(self) -> Damage | None:
        """What was wrong with it; known at its end."""


def damage_of(source: Source) -> Damage | None:
    """What was wrong with a source; None where nothing was, or nothing can be."""
    return source.damage if isinstance(source, MayBeDamaged) else None


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Which source, and how it is read."""

    input: str = "mic"
    """`mic`, `mic:NAME`, a path, or `-`."""
    pace: Pace | None = None
    """None: real time, but standard input as fast as it comes."""
    raw: bool = False
    """Whether there is no header, though nothing else is said of the samples."""
    rate: int | None = None
    """Hertz of samples without a header."""
    channels: int | None = None
    """How many there are in samples without a header, interleaved."""
    encoding: RawEncoding | None = None
    """Of samples without a header."""
    channel: str = MIX
    """Which one is heard: `mix`, `left`, `right`, a number from 1, or `each`."""
    wait: bool = False
    """Whether a microphone that is absent at the start is waited for."""
    paused: bool = False
    """Whether a microphone is not opened until `resume`."""

    def __post_init__(self) -> None:
        if self.pace not in (None, "realtime", "fast"):
            raise ConfigError(f"pace is {self.pace!r}; allowed: realtime, fast")
        if not MIN_RATE <= (self.rate or SAMPLE_RATE) <= MAX_RATE or self.rate == 0:
            raise ConfigError(
                f"rate is {self.rate} Hz; allowed: {MIN_RATE} to {MAX_RATE}"
            )
        if self.channels is not None and not 1 <= self.channels <= MAX_CHANNELS:
            raise ConfigError(
                f"channels is {self.channels}; allowed: 1 to {MAX_CHANNELS}"
            )
        if self.encoding not in (None, *RAW_DTYPES):
            raise ConfigError(
                f"encoding is {self.encoding!r}; allowed: {', '.join(RAW_DTYPES)}"
            )
        if not self.input:
            raise ConfigError("input is empty; allowed: mic, mic:NAME, a file, or -")
        checked_channel(self.channel)
        if self.is_microphone and self.pace == "fast":
            raise ConfigError(
                "pace is fast, but a microphone has no pace but real time; allowed: "
                "realtime"
            )

    @property
    def paced(self) -> bool:
        """Whether audio comes by the clock."""
        default: Pace = "fast" if self.input == "-" else "realtime"
        return self.is_microphone or (self.pace or default) == "realtime"

    @property
    def wanted(self) -> "Wanted":
        """What of a recording is read, and how."""
        from ser_stream.sources.recorded import Wanted

        given = (self.rate, self.channels, self.encoding)
        if not self.raw and given == (None, None, None):
            return Wanted(channel=self.channel)
        form = RawForm(
            self.rate or SAMPLE_RATE, self.channels or 1, self.encoding or "s16"
        )
        return Wanted(form, self.channel)

    @property
    def is_microphone(self) -> bool:
        return self.input == "mic" or self.input.startswith("mic:")


def open_source(config: InputConfig) -> Source:
    """Open the source that `config.input` names.

    Raises:
        SourceError: if the file cannot be read as audio.
        DeviceError: if there is no such device, or it cannot be opened, and it is not
            to be waited for.
        MissingLibraryError: if PortAudio is not installed.
        ConfigError: if all channels are wanted: this is one stream, see `open_each`.
    """
    if config.channel == EACH:
        raise ConfigError(
            "channel is each, and this is one stream; allowed: mix, left, right, or a "
            "number from 1"
        )
    return _open(config)


def open_each(config: InputConfig) -> tuple[Source, int]:
    """Open a source for all of its channels, where `each` is wanted of it.

    Returns:
        The source, and how many streams it is. If these are several, the samples of
        its chunks have shape (n, channels); `ser_stream.sources.each` parts them.

    Raises:
        SerStreamError: as `open_source`. A microphone has to be there: nothing else
            tells how many channels it has.
    """
    if config.channel != EACH:
        return open_source(config), 1
    source = _open(replace(config, wait=False, paused=False))
    if config.paused and isinstance(source, Device):
        count = source.channels
        source.pause()
        return source, count
    return source, source.channels


def _open(config: InputConfig) -> "ReconnectingMicrophone | FileSource":
    # Each source is imported where it is opened: a file needs no PortAudio.
    if config.is_microphone:
        from ser_stream.sources.reconnecting_microphone import ReconnectingMicrophone

        name = config.input.removeprefix("mic").removeprefix(":")
        return ReconnectingMicrophone(
            name, wait=config.wait, paused=config.paused, channel=config.channel
        )
    from ser_stream.sources.file import open_input

    return open_input(config.input, realtime=config.paced, wanted=config.wanted)
