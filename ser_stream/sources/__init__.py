"""Where samples come from: `mic`, `mic:NAME`, a file, or `-` for standard input.

file, stdin, array        recordings, pipes, and samples that a program has
wav_stream                a WAV header on a pipe
pacing                    a recording at real-time pace
intake, resample          recordings: damaged samples; any rate -> mono at 16 kHz

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
portaudio                 the library, started anew and kept quiet
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, runtime_checkable

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import SAMPLE_RATE, AudioInfo, Chunk, Condition

_LOGGER = logging.getLogger(__name__)
Pace = Literal["realtime", "fast"]
MIN_RATE, MAX_RATE = 1000, 768_000
"""Hertz; outside of them a header is damaged."""
MAX_CHANNELS = 64


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


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Which source, and how it is read."""

    input: str = "mic"
    """`mic`, `mic:NAME`, a path, or `-`."""
    pace: Pace | None = None
    """None: real time, but standard input as fast as it comes."""
    rate: int = SAMPLE_RATE
    """Hertz of raw samples on standard input."""
    channels: int = 1
    """Channels of raw samples on standard input, interleaved."""
    wait: bool = False
    """Whether a microphone that is absent at the start is waited for."""
    paused: bool = False
    """Whether a microphone is not opened until `resume`."""

    def __post_init__(self) -> None:
        if self.pace not in (None, "realtime", "fast"):
            raise ConfigError(f"pace is {self.pace!r}; allowed: realtime, fast")
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise ConfigError(
                f"rate is {self.rate} Hz; allowed: {MIN_RATE} to {MAX_RATE}"
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise ConfigError(
                f"channels is {self.channels}; allowed: 1 to {MAX_CHANNELS}"
            )
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
    def is_microphone(self) -> bool:
        return self.input == "mic" or self.input.startswith("mic:")


def open_source(config: InputConfig) -> Source:
    """Open the source that `config.input` names.

    Raises:
        SourceError: if the file cannot be read as audio.
        DeviceError: if there is no such device, or it cannot be opened, and it is not
            to be waited for.
        MissingLibraryError: if PortAudio is not installed.
    """
    raw = (config.rate, config.channels) != (SAMPLE_RATE, 1)
    if raw and config.input != "-":
        _LOGGER.warning(
            "rate and channels describe raw samples on standard input; %s says itself",
            config.input,
        )
    # Each source is imported where it is opened: a file needs no PortAudio.
    if config.is_microphone:
        from ser_stream.sources.reconnecting_microphone import ReconnectingMicrophone

        name = config.input.removeprefix("mic").removeprefix(":")
        return ReconnectingMicrophone(name, wait=config.wait, paused=config.paused)
    if config.input == "-":
        from ser_stream.sources.stdin import open_stdin

        return open_stdin(config.rate, config.channels, config.paced)
    from ser_stream.sources.file import FileSource

    return FileSource(Path(config.input), realtime=config.paced)
