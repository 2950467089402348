"""The microphone that the user named, found again when it comes back."""

import re
from collections.abc import Sequence
from operator import attrgetter

from ser_stream.errors import DeviceError
from ser_stream.sources.devices import InputDevice, choose, list_devices, there_are


class DeviceIdentity:
    """Looks for the same device by name; numbers change as others come and go.

    A part of a name, which meant one device while it was there, may fit another one
    once it has gone. That is not taken: it was there before, and not what was meant.
    """

    def __init__(self, wanted: str) -> None:
        """Remember what the user wrote: a name, a part, a number, or "" (default)."""
        self._wanted = wanted
        self._device: InputDevice | None = None
        self._others: frozenset[tuple[str, str | None]] = frozenset()

    def find(self) -> tuple[InputDevice, Sequence[InputDevice]]:
        """The device, and all that there are; tell `opened` if it was the right one.

        Raises:
            DeviceError: if it is not there, or if it cannot be told which one it is.
            MissingLibraryError: if PortAudio is not installed.
        """
        devices = list_devices()
        return self.choose(devices), devices

    def opened(self, device: InputDevice, devices: Sequence[InputDevice]) -> None:
        """This is the one; the other `devices` are not."""
        self._device = device
        self._others = frozenset(_key(d) for d in devices if d != device)

    def choose(self, devices: Sequence[InputDevice]) -> InputDevice:
        """The one of `devices` that it is; raises what `find` raises."""
        before = self._device
        if before is None or not self._wanted:
            return choose(self._wanted, devices)
        new = [d for d in devices if _key(d) not in self._others and _alike(d, before)]
        for same in (_key, attrgetter("pulse_source"), _bare_name):
            found = [d for d in new if same(d) and same(d) == same(before)]
            if len(found) == 1:
                return found[0]
        by_part = not before.matches(self._wanted, exactly=True)
        if by_part and not self._wanted.isdecimal():
            # The name may have changed with the port that it is plugged into.
            found = [d for d in new if d.matches(self._wanted, exactly=False)]
            if len(found) == 1:
                return found[0]
        raise DeviceError(f"{before.name} is not there; {there_are(devices)}")


def _alike(device: InputDevice, before: InputDevice) -> bool:
    # A sound server's microphone must not be taken from under it by its raw card.
    kinds = [(d.pulse_source is None, d.monitor) for d in (device, before)]
    return kinds[0] == kinds[1]


def _key(device: InputDevice) -> tuple[str, str | None]:
    return device.name, device.pulse_source


def _bare_name(device: InputDevice) -> str:
    return re.sub(r" \(hw:\d+,\d+\)$", "", device.name)
