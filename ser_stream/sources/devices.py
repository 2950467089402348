"""Which input devices there are, and which one a name means.

On Linux PortAudio shows PulseAudio and PipeWire only as one ALSA device, `pulse`. The
sources behind it, which are the microphones that users know by name, come from `pactl`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ser_stream.errors import DeviceError
from ser_stream.sources import portaudio
from ser_stream.sources.pulse import list_sources

PULSE_PCM = "pulse"
"""ALSA's name of the device behind which PulseAudio's sources are."""
_SOUND_SERVER_PCMS = ("default", PULSE_PCM, "pipewire")


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A microphone, or something that PortAudio treats like one."""

    index: int | None
    """PortAudio's number, or None for a PulseAudio source."""
    name: str
    host_api: str
    channels: int
    default_rate: int
    """Hertz."""
    default: bool
    """What `mic` opens; also the PulseAudio source that this leads to."""
    pulse_source: str | None = None
    """PulseAudio's name of the source, if it is one."""
    monitor: bool = False
    """True where it records what the computer plays."""
    card: int | None = None
    """ALSA's number of the sound card, where known."""

    @property
    def raw(self) -> bool:
        """Whether it is a sound card itself, which one program at a time can open."""
        return self.pulse_source is None and self.card is not None

    @property
    def selector(self) -> str:
        """What to write after `mic:` to get this one and no other."""
        return self.pulse_source or str(self.index)

    def matches(self, wanted: str, *, exactly: bool) -> bool:
        """Whether `wanted` is its name or its source's, or a part of one."""
        names = (self.name.casefold(), (self.pulse_source or "").casefold())
        wanted = wanted.casefold()
        return wanted in names if exactly else any(wanted in name for name in names)


def list_devices() -> list[InputDevice]:
    """PortAudio's inputs by number, then PulseAudio's sources.

    Raises:
        MissingLibraryError: if PortAudio is not installed.
    """
    sd = portaudio.load()
    host_apis = [str(api["name"]) for api in sd.query_hostapis()]
    default = _default_index(sd)
    found = [
        InputDevice(
            index=number,
            name=str(entry["name"]),
            host_api=host_apis[entry["hostapi"]],
            channels=int(entry["max_input_channels"]),
            default_rate=round(entry["default_samplerate"]),
            default=number == default,
            card=_card(str(entry["name"])),
        )
        for number, entry in enumerate(sd.query_devices())
        if entry["max_input_channels"] > 0
    ]
    if any(device.host_api == "PulseAudio" for device in found):
        # A PortAudio that speaks to PulseAudio itself has listed them already.
        return found
    by_server = any(d.default and d.name in _SOUND_SERVER_PCMS for d in found)
    found += [
        InputDevice(
            index=None,
            name=source.description,
            host_api="PulseAudio",
            channels=source.channels,
            default_rate=source.rate,
            default=source.default and by_server,
            pulse_source=source.name,
            monitor=source.monitor,
            card=source.card,
        )
        for source in list_sources()
    ]
    return found


def resolve(name: str) -> InputDevice:
    """The device that `name` means, "" being the default one; see `choose`.

    Raises:
        DeviceError: if there is no such device, or more than one.
        MissingLibraryError: if PortAudio is not installed.
    """
    return choose(name, list_devices())


def choose(name: str, devices: Sequence[InputDevice]) -> InputDevice:
    """Pick by number, by name, or by a part of a name that only one device has.

    Raises:
        DeviceError: if none fits or several do; the message lists them.
    """
    if not devices:
        raise DeviceError(
            "there is no input device at all; plug in a microphone, or check that "
            "PulseAudio or PipeWire runs for this user"
        )
    if not name:
        for device in devices:
            if device.default and device.index is not None:
                return device
        raise DeviceError(f"no input device is the default; name one: {_all(devices)}")
    if name.isdecimal():
        for device in devices:
            if device.index == int(name):
                return device
        raise DeviceError(f"no input device has number {name}; {there_are(devices)}")
    exact = [d for d in devices if d.matches(name, exactly=True)]
    parts = [d for d in devices if d.matches(name, exactly=False)]
    # A part of a name means a microphone, not what loudspeakers play.
    microphones = [d for d in parts if not d.monitor] or parts
    found = _preferred(exact or microphones)
    if not found:
        raise DeviceError(f"no input device is called {name!r}; {there_are(devices)}")
    if len(found) > 1:
        raise DeviceError(f"{name!r} fits several input devices: {_all(found)}")
    return found[0]


def _preferred(found: list[InputDevice]) -> list[InputDevice]:
    """Leave out what is there twice: raw, and shared by a sound server."""
    served = {d.card for d in found if d.pulse_source and d.card is not None}
    names = {d.name.casefold() for d in found if not d.raw}
    return [
        d
        for d in found
        if not (d.raw and (d.card in served or d.name.casefold() in names))
    ]


def served_channels(device: InputDevice) -> int:
    """How many channels it has itself.

    ALSA's way to a sound server takes any number; the server makes them of those of its
    default source.
    """
    if device.pulse_source is None and device.name in _SOUND_SERVER_PCMS:
        for source in list_sources():
            if source.default:
                return source.channels
    return device.channels


def there_are(devices: Sequence[InputDevice]) -> str:
    """The end of a message: which devices there are."""
    return f"there are: {_all(devices)}" if devices else "there is none at all"


def _default_index(sd: Any) -> int | None:
    try:
        return int(sd.query_devices(kind="input")["index"])
    except sd.PortAudioError:
        return None


def _card(name: str) -> int | None:
    match = re.search(r"\(hw:(\d+),\d+\)$", name)
    return int(match[1]) if match else None


def _all(devices: Iterable[InputDevice]) -> str:
    return ", ".join(f"{d.name} (mic:{d.selector})" for d in devices)
