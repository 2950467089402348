"""A microphone, by PortAudio."""

import logging
import math
import time
import weakref
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ser_stream.errors import DeviceError, SourceError
from ser_stream.log import Every
from ser_stream.pipeline.blocks import BLOCK_LENGTH
from ser_stream.pipeline.values import SAMPLE_RATE, AudioInfo, Chunk, FloatArray
from ser_stream.sources import portaudio
from ser_stream.sources.boot_clock import elapsed
from ser_stream.sources.channels import EACH, MIX
from ser_stream.sources.decoders.chatter import quiet
from ser_stream.sources.device_clock import DeviceClock
from ser_stream.sources.devices import (
    PULSE_PCM,
    InputDevice,
    resolve,
    served_channels,
)
from ser_stream.sources.pulse import SourceWatch
from ser_stream.sources.pulse_connection import connecting_to
from ser_stream.sources.resample import MonoResampler
from ser_stream.sources.ring import Piece, Ring, RingStatistics

_LOGGER = logging.getLogger(__name__)
RING_S = 5.0
"""A reader that is later than this loses the oldest samples."""
CHUNK_S = 0.3
"""At most this much comes at a time."""
CALLBACK_S = BLOCK_LENGTH / SAMPLE_RATE
"""How often PortAudio calls, seconds. Each call costs 0.2 ms of CPU, in three threads;
`ReconnectingMicrophone` sees to it that calls come when a block is complete."""
SILENT_S = 5.0
"""Without a callback for so long, a device is gone, whatever it says."""
_OTHER_RATES = (16_000, 48_000, 44_100, 32_000)


class Microphone:
    """A live source; it records from the moment it is made until its `with` ends.

    When the device goes, so does this; `recovery.ReconnectingMicrophone` begins anew.
    """

    def __init__(
        self,
        wanted: str | InputDevice,
        *,
        ring_s: float = RING_S,
        channel: str = MIX,
    ) -> None:
        """Open an input device: this one, or what a name means; "" is the default.

        Raises:
            DeviceError: if there is no such device, or it cannot be opened.
            MissingLibraryError: if PortAudio is not installed.
        """
        device = resolve(wanted) if isinstance(wanted, str) else wanted
        self._name = device.name
        self._ring_s = ring_s
        self._channel = channel
        self._sd = portaudio.load()
        with quiet(), connecting_to(device.pulse_source):
            self._stream, self._rate = self._open(device)
        portaudio.note_open(self)
        source = device.pulse_source
        self._watch = None if source is None else SourceWatch(source)
        self.info = AudioInfo("mic", device.name, self._rate)
        self.live = True
        self.ended = False
        try:
            self._resampler = MonoResampler(
                self._rate, self._stream.channels, channel, f"microphone {device.name}"
            )
        except SourceError as error:
            self.close()
            raise DeviceError(str(error)) from None
        self.channels = int(self._stream.channels)
        self._expected = 0
        self._next = 0
        self._silent_s = 0.0
        self._losses = Every(10.0)
        self._checked = time.monotonic()
        _LOGGER.info(
            "microphone: %s, %d Hz, channels: %d",
            device.name,
            self._rate,
            self._stream.channels,
        )

    def _open(self, device: InputDevice) -> tuple[Any, int]:
        """The stream, running, at the first rate and number of channels that work."""
        index = device.index if device.index is not None else self._pulse_index(device)
        rates = dict.fromkeys((device.default_rate, *_OTHER_RATES))
        # Where one is asked for, the system makes it of all; two that cancel should
        # come here as they are.
        counts = [*dict.fromkeys((min(2, device.channels), 1, device.channels))]
        if self._channel == EACH:
            counts = [served_channels(device)]
        elif self._channel != MIX:
            counts = [device.channels]
        error: Exception | None = None
        for rate in rates:
            for channels in counts:
                try:
                    return self._start(index, rate, channels), rate
                except self._sd.PortAudioError as refusal:
                    # The first refusal is about what the device likes best.
                    error = error or refusal
        assert error is not None
        raise DeviceError(
            f"the microphone {device.name} cannot be opened: "
            f"{portaudio.reason(error)}; is it plugged in, and free?"
        ) from error

    def _start(self, index: int, rate: int, channels: int) -> Any:
        self._sd.check_input_settings(index, channels, "float32", samplerate=rate)
        self._ring = Ring(round(self._ring_s * rate), round(CHUNK_S * rate))
        self._clock = DeviceClock(rate)
        stream = self._sd.InputStream(
            samplerate=rate,
            blocksize=round(CALLBACK_S * rate),
            device=index,
            channels=channels,
            dtype="float32",
            # With the default latency the first frames may come seconds late.
            latency="low",
            callback=_weak(self._take_samples),
        )
        try:
            stream.start()
        except self._sd.PortAudioError:
            stream.close()
            raise
        return stream

    def _pulse_index(self, device: InputDevice) -> int:
        for index, entry in enumerate(self._sd.query_devices()):
            if entry["name"] == PULSE_PCM and entry["max_input_channels"] > 0:
                return index
        raise DeviceError(
            f"the microphone {device.name} belongs to PulseAudio, which ALSA cannot "
            "reach; Debian, Ubuntu: apt install libasound2-plugins; Fedora: dnf "
            "install alsa-plugins-pulseaudio"
        )

    def _take_samples(
        self, samples: FloatArray, frames: int, _: Any, status: Any
    ) -> None:
        # In PortAudio's thread: copy and return.
        overflow = bool(status.input_overflow)
        lost = self._clock.lost(self._ring.index, frames, elapsed(), overflow)
        if lost:
            self._ring.note_gap(lost)
        self._ring.write(samples, time.monotonic())

    def read(self, timeout: float, least: int = 1, /) -> Chunk | None:
        """What came since the last time, up to 0.3 s; see `Source.read`.

        Args:
            timeout: seconds.
            least: samples at 16 kHz to wait for; a few of them may still be missing.

        Raises:
            DeviceError: if the device is gone.
        """
        deadline = time.monotonic() + timeout
        frames = math.ceil(least * self._rate / SAMPLE_RATE)
        while not self.ended:
            piece = self._ring.read(max(0.0, deadline - time.monotonic()), frames)
            self._check_alive(piece is None)
            if piece is None:
                return None
            chunk = self._convert(piece)
            # The resampler keeps the first samples until it has seen more.
            if len(chunk.samples):
                return chunk
        return None

    def _check_alive(self, silent: bool) -> None:
        now = time.monotonic()
        # At most 1 s for each call: when the whole process was stopped for a while,
        # that is not the device's fault.
        waited = min(now - self._checked, 1.0)
        self._checked = now
        self._silent_s = self._silent_s + waited if silent else 0.0
        # PortAudio raises nothing when a device vanishes: the stream just ends. What
        # came before that is still in the ring, and is read first.
        ended = silent and not self._stream.active
        moved = self._watch is not None and self._watch.gone()
        if not (ended or moved or self._silent_s >= SILENT_S):
            return
        self.ended = True
        why = (
            "unplugged, or its sound server has stopped"
            if ended or moved
            else f"nothing has come from it for {SILENT_S:g} s"
        )
        raise DeviceError(f"the microphone {self._name} is gone: {why}")

    def _convert(self, piece: Piece) -> Chunk:
        if piece.start != self._expected:
            self._losses.log(
                _LOGGER,
                logging.WARNING,
                "microphone: %.3f s were lost",
                (piece.start - self._expected) / self._rate,
            )
            self._resampler.reset()
            # Never backwards: the rounding may say one sample less.
            self._next = max(self._next, self._samples(piece.start))
        self._expected = piece.start + len(piece.samples)
        mono = self._resampler.feed(piece.samples)
        # Sound servers deliver floats beyond full scale when something clips.
        if not math.isfinite(float(np.vdot(mono, mono))):
            mono = np.nan_to_num(mono)
        mono = np.clip(mono, -1.0, 1.0)
        chunk = Chunk(self._next, mono, piece.arrived)
        self._next = chunk.end
        return chunk

    @property
    def began(self) -> float:
        """`boot_clock.elapsed` at sample 0, as the last samples show it."""
        return self._clock.began

    def skip_to_newest(self) -> int:
        """Throw away what was not read yet; return how many samples, at 16 kHz."""
        return self._samples(self._ring.skip_to_newest())

    def statistics(self) -> RingStatistics:
        ring = self._ring.statistics()
        return RingStatistics(self._samples(ring.overwritten), ring.overflows)

    def _samples(self, frames: int) -> int:
        return round(frames * SAMPLE_RATE / self._rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.ended = True
        # Not `stop`, which may wait for buffers of a device that is no more.
        self._stream.abort()
        self._stream.close()
        portaudio.note_closed(self)
        if self._watch is not None:
            self._watch.close()


def _weak(callback: Callable[[FloatArray, int, Any, Any], None]) -> Any:
    """The same without keeping its owner alive.

    A stream of sounddevice refers to itself, and so stays in memory until the garbage
    collector comes; the ring is too large for that.
    """
    method = weakref.WeakMethod(callback)

    def weak_callback(samples: FloatArray, frames: int, time: Any, status: Any) -> None:
        owned = method()
        if owned is not None:
            owned(samples, frames, time, status)

    return weak_callback
