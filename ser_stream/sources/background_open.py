"""Opens and closes a microphone beside the thread that reads it.

When a sound server hangs, so does every call of PortAudio, for as long. The reading
thread has to go on: to answer, to be paused, to end.
"""

import threading
import time
from collections.abc import Callable

from ser_stream.errors import DeviceError, SerStreamError
from ser_stream.sources import alsa_plugins, portaudio
from ser_stream.sources.channels import MIX
from ser_stream.sources.decoders.chatter import loud
from ser_stream.sources.device_identity import DeviceIdentity
from ser_stream.sources.microphone import Microphone

HANGS_S = 5.0
"""Opening takes a fraction of a second; after so long PortAudio hangs."""


class BackgroundOpener:
    """One microphone at a time: each attempt first closes what the last one opened."""

    def __init__(self, wanted: str, channel: str = MIX) -> None:
        self._channel = channel
        self._device = DeviceIdentity(wanted)
        self._attempt: _Attempt | None = None
        self._stopped = False

    def load(self) -> None:
        """Begin to start PortAudio, and open nothing."""
        self._begin(_load)

    def open(self, *, scan: bool) -> None:
        """Begin to open; `scan` to look for new devices first."""
        self._begin(lambda: self._open(scan))

    def close(self) -> None:
        self._begin(lambda: None)

    def wait(self, timeout: float) -> bool:
        """Whether what was begun is done, after `timeout` s at most."""
        return self._attempt is None or self._attempt.done.wait(timeout)

    def hangs(self) -> bool:
        """Whether the attempt takes so long that PortAudio hangs."""
        attempt = self._attempt
        if attempt is None or attempt.done.is_set():
            return False
        hangs = time.monotonic() - attempt.begun >= HANGS_S
        if hangs:
            loud()
        return hangs

    def take(self) -> Microphone | None:
        """What was opened.

        Raises:
            DeviceError: if there is no such device, or it cannot be opened.
            MissingLibraryError: if PortAudio is not installed.
        """
        assert self._attempt is not None
        error = self._attempt.error
        if isinstance(error, SerStreamError):
            raise error
        if error is not None:
            # PortAudio's own, when it could not even be started: no reason to end.
            raise DeviceError(f"the sound system fails: {error}") from error
        return self._attempt.microphone

    def _begin(self, call: "Callable[[], Microphone | None]") -> None:
        self._attempt = _Attempt(call, self._attempt)
        self._attempt.start()

    def _open(self, scan: bool) -> Microphone:
        with portaudio.alone():
            if scan or self._stopped:
                # A scan that fails leaves PortAudio stopped, and nothing opens then.
                self._stopped = True
                portaudio.rescan()
                self._stopped = False
            device, devices = self._device.find()
            microphone = Microphone(device, channel=self._channel)
            alsa_plugins.release_unused()
        self._device.opened(device, devices)
        return microphone


def _load() -> None:
    portaudio.load()


class _Attempt(threading.Thread):
    """A thread that the process does not wait for at its end."""

    def __init__(
        self, call: "Callable[[], Microphone | None]", before: "_Attempt | None"
    ) -> None:
        super().__init__(name="microphone", daemon=True)
        self._call = call
        self._before = before
        self.begun = time.monotonic()
        self.done = threading.Event()
        self.microphone: Microphone | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            if self._before is not None:
                self._before.done.wait()
                if self._before.microphone is not None:
                    self._before.microphone.close()
                self._before = None
            self.microphone = self._call()
        except Exception as error:  # noqa: BLE001  `take` raises it
            self.error = error
        finally:
            self.done.set()
