"""A microphone that is taken again when it comes back."""

import logging
import time
from collections import deque
from typing import Self

from ser_stream.errors import DeviceError
from ser_stream.events import AudioInfo
from ser_stream.ring import RingStatistics
from ser_stream.sources import portaudio
from ser_stream.sources.audio_clock import AudioClock
from ser_stream.sources.backoff import Backoff
from ser_stream.sources.microphone import Microphone
from ser_stream.sources.opener import HANGS_S, Opener
from ser_stream.sources.signs import DeviceSigns
from ser_stream.sources.zeros import ZEROS_S, ZeroWatch
from ser_stream.values import AudioState, Chunk, Condition

_LOGGER = logging.getLogger(__name__)
FAILED_S = 60.0
"""After so long of trying somebody should look."""
CLOSE_S = 2.0
"""How long we wait until a device is released."""
STEADY_S = 10.0
"""A device that was there for less is not opened again at once when it goes."""
_POLL_S = 0.1
_LONGEST_PAUSE_S = 30.0
_LONGEST_SCAN_PAUSE_S = 3600.0
_ANSWERS_NOT = "the sound system does not answer"


class RecoveringMicrophone:
    """A live source that outlasts its device.

    `read` tells what becomes of the device in between the chunks: lost, recovering
    (looked for), failed (in vain for long; that goes on), healthy (there again);
    paused and resumed on request. Chunks keep to one time line: what was missed
    meanwhile is a jump of their index.
    """

    def __init__(
        self,
        name: str,
        *,
        wait: bool,
        paused: bool = False,
        zeros_s: float = ZEROS_S,
    ) -> None:
        """Open the input device that `name` means; "" is the default one.

        Args:
            name: a name, a part of one that no other device has, or a number.
            wait: whether a device that is not there yet is waited for.
            paused: open nothing before `resume`.
            zeros_s: a device that delivers exact zeros for so long is opened again.

        Raises:
            DeviceError: if there is no such device, or it cannot be opened; not with
                `wait`, nor if `paused`.
            MissingLibraryError: if PortAudio is not installed.
        """
        self.live = True
        self.ended = False
        self.info = AudioInfo("mic", name or "default", 0)
        self._opener = Opener(name)
        self._opening = False
        self._microphone: Microphone | None = None
        self._clock = AudioClock()
        self._signs = DeviceSigns()
        self._tries = Backoff(1.0, _LONGEST_PAUSE_S)
        longest = _LONGEST_SCAN_PAUSE_S if self._signs.possible else _LONGEST_PAUSE_S
        self._scans = Backoff(1.0, longest)
        self._zeros_s = zeros_s
        self._zeros = ZeroWatch(zeros_s)
        self._dead = False
        self._state = AudioState.HEALTHY
        self._since = self._healthy_since = time.monotonic()
        self._reason = ""
        self._pending: deque[Chunk | Condition] = deque()
        self._overwritten = self._overflows = 0
        self._start(wait=wait, paused=paused)

    def _start(self, *, wait: bool, paused: bool) -> None:
        if paused:
            # Only to find out now whether there is a PortAudio.
            self._opener.load()
        else:
            self._try(scan=True)
        try:
            if not self._opener.wait(2 * HANGS_S):
                raise DeviceError(f"the microphone cannot be opened: {_ANSWERS_NOT}")
            self._opening = False
            self._took(self._opener.take())
        except DeviceError as error:
            if not wait and not paused:
                self.__exit__()
                raise
            self._lose(str(error))
        if paused:
            self._pending.clear()
            self._say(AudioState.PAUSED, "the device is released")

    def read(self, timeout: float, /) -> Chunk | Condition | None:
        """What came since the last time, up to 0.1 s of it; see `Source.read`."""
        deadline = time.monotonic() + timeout
        while not self._pending:
            remaining = max(0.0, deadline - time.monotonic())
            if self.ended or self._state is AudioState.PAUSED:
                time.sleep(remaining)
            elif self._microphone is not None:
                self._hear(self._microphone, remaining)
            else:
                self._look(min(remaining, _POLL_S))
            if time.monotonic() >= deadline:
                break
        return self._pending.popleft() if self._pending else None

    def pause(self) -> None:
        """Release the device; `read` tells so, and then gives nothing."""
        if self._state is AudioState.PAUSED:
            return
        self._release()
        self._say(AudioState.PAUSED, "the device is released")

    def resume(self) -> None:
        """Take the device again; `read` tells when that worked."""
        if self._state is not AudioState.PAUSED:
            return
        self._say(AudioState.RESUMED, "the device is opened again")
        self._begin_to_look()
        self._try(scan=True)

    def skip_to_newest(self) -> int:
        """Throw away what was not read yet; return how many samples, at 16 kHz."""
        return 0 if self._microphone is None else self._microphone.skip_to_newest()

    def statistics(self) -> RingStatistics:
        """What was lost so far while a device was there, in samples at 16 kHz."""
        overwritten, overflows = self._overwritten, self._overflows
        if self._microphone is not None:
            now = self._microphone.statistics()
            overwritten, overflows = (
                overwritten + now.overwritten,
                overflows + now.overflows,
            )
        return RingStatistics(overwritten, overflows)

    # While a device is open.

    def _hear(self, microphone: Microphone, timeout: float) -> None:
        try:
            chunk = microphone.read(timeout)
        except DeviceError as error:
            self._gone(str(error))
            return
        if chunk is None:
            return
        reopen = self._zeros.hear(chunk.samples)
        if self._state is not AudioState.HEALTHY and not (
            self._dead and self._zeros.seconds
        ):
            self._recovered()
        self._pending.append(self._clock.place(chunk, microphone.began))
        if reopen:
            self._wake()

    def _recovered(self) -> None:
        seconds = time.monotonic() - self._since
        what = "it is heard again" if self._dead else "it is there"
        self._say(
            AudioState.HEALTHY, f"{self.info.device}: {what}, after {seconds:.1f} s"
        )
        self._dead = False
        self._healthy_since = time.monotonic()
        self._signs.close()

    def _wake(self) -> None:
        """Open a device again that delivers nothing but zeros."""
        if not self._dead:
            seconds = self._zeros.seconds
            self._since = time.monotonic() - seconds
            self._say(
                AudioState.RECOVERING,
                f"only zeros for {seconds:.0f} s: muted, or dead; opening it again",
            )
        self._dead = True
        self._leave()
        self._try(scan=True)

    def _gone(self, reason: str) -> None:
        self._leave()
        self._opener.close()
        if self._state is not AudioState.HEALTHY and not self._dead:
            # It opened, but nothing came from it.
            self._tries.tried()
            self._in_vain(reason)
            return
        steady = time.monotonic() - self._healthy_since >= STEADY_S
        self._lose(reason)
        if steady:
            self._try(scan=True)

    def _leave(self) -> None:
        if self._microphone is None:
            return
        total = self.statistics()
        self._overwritten, self._overflows = total.overwritten, total.overflows
        self._clock.leave(self._microphone.began)
        self._microphone = None

    def _release(self) -> None:
        self._leave()
        self._signs.close()
        self._opening = self._dead = False
        self._opener.close()
        if not self._opener.wait(CLOSE_S):
            _LOGGER.warning("microphone: %s; it is not released yet", _ANSWERS_NOT)

    # While it is looked for.

    def _lose(self, reason: str) -> None:
        self._dead = False
        self._zeros = ZeroWatch(self._zeros_s)
        self._say(AudioState.LOST, reason)
        self._begin_to_look()

    def _begin_to_look(self) -> None:
        self._since = time.monotonic()
        if self._since - self._healthy_since >= STEADY_S:
            self._tries.reset()
            self._scans.reset()
        self._tries.tried()

    def _try(self, *, scan: bool) -> None:
        if scan:
            self._scans.tried()
        self._opening = True
        self._opener.open(scan=scan)

    def _look(self, timeout: float) -> None:
        if self._opening:
            self._await(timeout)
        elif self._signs.changed():
            self._tries.reset()
            self._scans.reset()
            self._try(scan=True)
        elif self._tries.due:
            self._try(scan=self._scans.due)
        else:
            time.sleep(timeout)
        self._complain()

    def _await(self, timeout: float) -> None:
        if not self._opener.wait(timeout):
            if self._opener.hangs():
                self._in_vain(_ANSWERS_NOT)
            return
        self._opening = False
        try:
            self._took(self._opener.take())
        except DeviceError as error:
            self._tries.tried()
            self._in_vain(str(error))

    def _took(self, microphone: Microphone | None) -> None:
        self._microphone = microphone
        if microphone is not None:
            self.info = microphone.info

    def _in_vain(self, reason: str) -> None:
        self._reason = reason
        if self._dead:
            self._lose(reason)
        elif self._state in (AudioState.LOST, AudioState.RESUMED):
            self._say(AudioState.RECOVERING, f"looking for it: {reason}")

    def _complain(self) -> None:
        seconds = time.monotonic() - self._since
        looked_for = self._state is AudioState.RECOVERING and not self._dead
        if looked_for and seconds >= FAILED_S:
            what = f"looked for it for {seconds:.0f} s in vain, and still do"
            self._say(AudioState.FAILED, f"{what}: {self._reason}")

    def _say(self, state: AudioState, detail: str) -> None:
        self._state = state
        self._pending.append(Condition(state, detail))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended = True
        self._release()
        if not self._opener.wait(0.0):
            portaudio.abandon()
