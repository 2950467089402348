"""A microphone that is taken again when it comes back."""

import logging
import time
from collections import deque
from typing import Self

from ser_stream.errors import DeviceError
from ser_stream.pipeline.blocks import BLOCK_LENGTH, BLOCK_PHASE
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    AudioInfo,
    AudioState,
    Chunk,
    Condition,
)
from ser_stream.sources.audio_clock import AudioClock
from ser_stream.sources.channels import MIX
from ser_stream.sources.dead_signal import DeadSignal
from ser_stream.sources.microphone import Microphone
from ser_stream.sources.reconnect import Reconnector

_LOGGER = logging.getLogger(__name__)
FAILED_S = 60.0
"""After so long of looking the operator should look too."""
STEADY_S = 10.0
"""A device that was there for less is not opened again at once when it goes."""
START_S = 10.0
"""PortAudio gets so long at the start before we go on without it."""
_POLL_S = 0.1
_LATE = 650
"""Samples after the end of a block at which PortAudio is to call: of 48 kHz the
resampler keeps up to 580. So no block waits for the next call."""
_MOST = round(0.2 * SAMPLE_RATE)
"""Samples that are waited for at most: by then a reader expects some."""


class ReconnectingMicrophone:
    """A live source that outlasts its device.

    `read` tells what becomes of the device in between the chunks: lost, recovering
    (looked for), failed (in vain for long; that goes on), healthy (there again);
    paused and resumed on request. Chunks keep to one time line: what was missed
    meanwhile is a jump of their index.
    """

    def __init__(
        self, name: str, *, wait: bool, paused: bool = False, channel: str = MIX
    ) -> None:
        """Open the input device that `name` means; "" is the default one.

        Args:
            name: a name, a part of one that no other device has, or a number.
            wait: whether a device that is not there yet is waited for.
            paused: open nothing before `resume`.
            channel: which one of the device is heard.

        Raises:
            DeviceError: if there is no such device, or it cannot be opened; not with
                `wait`, nor if `paused`.
            MissingLibraryError: if PortAudio is not installed.
        """
        self.live = True
        self.ended = False
        self.info = AudioInfo("mic", name or "default", 0)
        self._search = Reconnector(name, channel)
        self._microphone: Microphone | None = None
        self._clock = AudioClock(-(BLOCK_PHASE + _LATE) % BLOCK_LENGTH)
        self._zeros = DeadSignal()
        self._dead = False
        self._state = AudioState.HEALTHY
        self._since = self._healthy_since = time.monotonic()
        self._reason = ""
        self._pending: deque[Chunk | Condition] = deque()
        self._due = (0, 1)
        self._start(wait=wait, paused=paused)

    def _start(self, *, wait: bool, paused: bool) -> None:
        if paused:
            # Only to find out now whether there is a PortAudio.
            self._search.load()
        else:
            self._search.open()
        try:
            self._took(self._search.look(START_S))
        except DeviceError as error:
            if not wait and not paused:
                self.__exit__()
                raise
            self._lose(str(error))
        if paused:
            self._pending.clear()
            self.pause()

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        """What came since the last time, up to 0.3 s of it; see `Source.read`."""
        deadline = time.monotonic() + timeout
        while not self._pending:
            remaining = max(0.0, deadline - time.monotonic())
            if self.ended or self._state is AudioState.PAUSED:
                time.sleep(remaining)
            elif self._microphone is not None:
                self._read_device(self._microphone, remaining)
            else:
                self._look(min(remaining, _POLL_S))
            if time.monotonic() >= deadline:
                break
        return self._pending.popleft() if self._pending else None

    def pause(self) -> None:
        if self._state is AudioState.PAUSED:
            return
        self._dead = False
        self._release()
        self._say(AudioState.PAUSED, "the device is released")

    def resume(self) -> None:
        if self._state is not AudioState.PAUSED:
            return
        self._say(AudioState.RESUMED, "the device is opened again")
        self._since = time.monotonic()
        self._search.pause(afresh=True)
        self._search.open()

    @property
    def channels(self) -> int:
        """How many the open device has; 0 while none is open."""
        return 0 if self._microphone is None else self._microphone.channels

    def skip_to_newest(self) -> int:
        """Throw away what was not read yet; return how many samples, at 16 kHz."""
        return 0 if self._microphone is None else self._microphone.skip_to_newest()

    def due(self, first: int, every: int) -> None:
        """See `Device`."""
        self._due = (first, every)

    def _least(self) -> int:
        """How many samples are missing until some are due."""
        first, every = self._due
        return min((first - self._clock.next - 1) % every + 1, _MOST)

    # While a device is open.

    def _took(self, microphone: Microphone | None) -> None:
        self._microphone = microphone
        if microphone is not None:
            self.info = microphone.info

    def _read_device(self, microphone: Microphone, timeout: float) -> None:
        try:
            chunk = microphone.read(timeout, self._least())
        except DeviceError as error:
            self._gone(str(error))
            return
        if chunk is None:
            return
        wake = self._zeros.feed(chunk.samples)
        still_dead = self._dead and self._zeros.seconds > 0
        if self._state is not AudioState.HEALTHY and not still_dead:
            self._recovered()
        placed = self._clock.place(chunk, microphone.began)
        if len(placed.samples):
            self._pending.append(placed)
        if wake:
            self._wake()

    def _recovered(self) -> None:
        seconds = time.monotonic() - self._since
        what = "it delivers sound again" if self._dead else "it is there"
        detail = f"{self.info.device}: {what}, after {seconds:.1f} s"
        self._say(AudioState.HEALTHY, detail)
        self._dead = False
        self._healthy_since = time.monotonic()
        self._search.found()

    def _wake(self) -> None:
        """Open a device again that delivers nothing but zeros."""
        if not self._dead:
            seconds = self._zeros.seconds
            self._since = time.monotonic() - seconds
            detail = f"only zeros for {seconds:.0f} s: muted, or dead; opening it again"
            self._say(AudioState.RECOVERING, detail)
        self._dead = True
        self._leave()
        # It is there, and may be muted for years: a scan each time would leak. Where
        # it cannot be opened, it is lost, and looked for with one.
        self._search.open(scan=False)

    def _gone(self, reason: str) -> None:
        self._leave()
        self._search.drop()
        if self._state is AudioState.HEALTHY or self._dead:
            self._lose(reason)
            if time.monotonic() - self._healthy_since >= STEADY_S:
                self._search.open()
        else:
            # It was opened, but nothing came from it.
            self._search.pause(afresh=False)
            self._in_vain(reason)

    def _leave(self) -> None:
        if self._microphone is not None:
            self._clock.leave(self._microphone.began)
            self._microphone = None

    def _release(self) -> None:
        self._leave()
        if not self._search.release():
            _LOGGER.warning("the sound system does not let go of the microphone yet")

    # While it is looked for.

    def _lose(self, reason: str) -> None:
        self._dead = False
        self._zeros = DeadSignal()
        self._say(AudioState.LOST, reason)
        self._since = time.monotonic()
        steady = self._since - self._healthy_since >= STEADY_S
        self._search.pause(afresh=steady)

    def _look(self, timeout: float) -> None:
        try:
            self._took(self._search.look(timeout))
        except DeviceError as error:
            self._in_vain(str(error))
        seconds = time.monotonic() - self._since
        looked_for = self._state is AudioState.RECOVERING and not self._dead
        if looked_for and seconds >= FAILED_S:
            what = f"looked for it for {seconds:.0f} s in vain, and still do"
            self._say(AudioState.FAILED, f"{what}: {self._reason}")

    def _in_vain(self, reason: str) -> None:
        self._reason = reason
        if self._dead:
            self._lose(reason)
        elif self._state in (AudioState.LOST, AudioState.RESUMED):
            self._say(AudioState.RECOVERING, f"looking for it: {reason}")

    def _say(self, state: AudioState, detail: str) -> None:
        self._state = state
        self._pending.append(Condition(state, detail))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended = True
        self._release()
        self._search.abandon()
