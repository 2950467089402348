"""Looks for a microphone that is not there: cheaply, and for as long as it takes."""

import time

from ser_stream.errors import DeviceError
from ser_stream.sources import portaudio
from ser_stream.sources.background_open import BackgroundOpener
from ser_stream.sources.backoff import Backoff
from ser_stream.sources.channels import MIX
from ser_stream.sources.device_changes import DeviceChanges
from ser_stream.sources.microphone import Microphone

CLOSE_S = 2.0
"""How long we wait until a device is released."""
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_LONGEST_SCAN_PAUSE_S = 3600.0


class Reconnector:
    """Tries to open it: at once, at every sign of a change, and now and then.

    Now and then, because it may have been in use by another program. A scan for new
    devices is dear, and repeated seldom as long as there is no sign of one.
    """

    def __init__(self, wanted: str, channel: str = MIX) -> None:
        self._opener = BackgroundOpener(wanted, channel)
        self._opening = False
        self._signs = DeviceChanges()
        self._tries = Backoff(_PAUSE_S, _LONGEST_PAUSE_S)
        signs = self._signs.possible
        self._scans = Backoff(
            _PAUSE_S, _LONGEST_SCAN_PAUSE_S if signs else _LONGEST_PAUSE_S
        )

    def load(self) -> None:
        self._opening = True
        self._opener.load()

    def open(self, *, scan: bool = True) -> None:
        self._opening = True
        if scan:
            self._scans.tried()
        self._opener.open(scan=scan)

    def pause(self, *, afresh: bool) -> None:
        """Wait a little before the next attempt; `afresh` for the shortest pause."""
        if afresh:
            self._tries.reset()
            self._scans.reset()
        self._tries.tried()

    def look(self, timeout: float) -> Microphone | None:
        """Go on for `timeout` s at most; the microphone once it is open.

        Raises:
            DeviceError: if an attempt failed, or hangs; that is no reason to stop.
            MissingLibraryError: if PortAudio is not installed.
        """
        if self._opening:
            return self._await(timeout)
        if self._signs.changed():
            self.pause(afresh=True)
            self.open()
        elif self._tries.due:
            self.open(scan=self._scans.due)
        else:
            time.sleep(timeout)
        return None

    def _await(self, timeout: float) -> Microphone | None:
        if not self._opener.wait(timeout):
            if self._opener.hangs():
                raise DeviceError(
                    "the sound system does not answer; if that lasts, restart "
                    "PulseAudio or PipeWire"
                )
            return None
        self._opening = False
        try:
            return self._opener.take()
        except DeviceError:
            self._tries.tried()
            raise

    def found(self) -> None:
        """Stop looking for signs: the device delivers audio."""
        self._signs.close()

    def drop(self) -> None:
        self._opener.close()

    def release(self) -> bool:
        """Stop looking, and close what was opened; whether that is done."""
        self._signs.close()
        self._opening = False
        self._opener.close()
        return self._opener.wait(CLOSE_S)

    def abandon(self) -> None:
        if not self._opener.wait(0.0):
            portaudio.abandon()
