"""The same microphone is found again, and no other one is taken for it."""

from typing import Any

import pytest

from ser_stream.errors import DeviceError
from ser_stream.sources.device_identity import DeviceIdentity
from ser_stream.sources.devices import InputDevice


def device(name: str, index: int | None = 0, **more: Any) -> InputDevice:
    return InputDevice(index, name, "ALSA", 2, 48000, **{"default": False, **more})


def served(name: str, source: str, **more: Any) -> InputDevice:
    return device(name, None, pulse_source=source, **more)


DEFAULT = device("default", 2, default=True)
USB = served("USB PnP Mono", "alsa_input.usb-1")
CAMERA = served("USB Camera", "alsa_input.usb-2")
MONITOR = served("Monitor of USB Speaker", "usb.monitor", monitor=True)
RAW = device("USB PnP: Audio (hw:1,0)", 0, card=1)


def remembered(
    wanted: str, opened: InputDevice, *others: InputDevice
) -> DeviceIdentity:
    memory = DeviceIdentity(wanted)
    there = [opened, *others]
    assert memory.choose(there) == opened
    memory.opened(opened, there)
    return memory


def test_a_number_means_the_name_that_it_had() -> None:
    memory = remembered("0", RAW, DEFAULT)
    other = device("Webcam: Audio (hw:0,0)", 0, card=0)
    moved = device("USB PnP: Audio (hw:2,0)", 1, card=2)
    assert memory.choose([other, moved, DEFAULT]) == moved
    with pytest.raises(DeviceError, match=r"USB PnP: .* is not there; there are: Web"):
        memory.choose([other, DEFAULT])


def test_a_part_of_a_name_does_not_fall_on_another_device_that_has_it() -> None:
    memory = remembered("usb pnp", USB, DEFAULT, MONITOR)
    with pytest.raises(DeviceError, match="USB PnP Mono is not there"):
        memory.choose([DEFAULT, MONITOR, RAW])
    assert memory.choose([DEFAULT, MONITOR, RAW, USB]) == USB
    first = remembered("USB PnP Mono", USB, CAMERA)
    with pytest.raises(DeviceError, match="is not there"):
        first.choose([CAMERA])


def test_a_part_of_a_name_finds_it_in_another_port_where_its_name_is_another() -> None:
    memory = remembered("usb", USB, DEFAULT)
    again = served("USB PnP Analog Stereo", "alsa_input.usb-1.2")
    assert memory.choose([DEFAULT, MONITOR, again]) == again
    with pytest.raises(DeviceError, match="is not there"):
        memory.choose([again, CAMERA])


def test_a_twin_that_was_there_before_is_not_taken_for_it() -> None:
    twin = served("USB PnP Mono", "alsa_input.usb-9")
    memory = remembered("alsa_input.usb-1", USB, twin)
    with pytest.raises(DeviceError, match="is not there"):
        memory.choose([twin])
    assert memory.choose([twin, USB]) == USB


def test_a_card_is_not_taken_from_under_a_sound_server_that_starts_again() -> None:
    memory = remembered("usb pnp", USB, DEFAULT)
    with pytest.raises(DeviceError, match="is not there"):
        memory.choose([RAW])


def test_the_default_is_whatever_is_the_default_now() -> None:
    memory = remembered("", DEFAULT, USB)
    other = device("pipewire", 5, default=True)
    assert memory.choose([USB, other]) == other


def test_without_any_device_it_says_so() -> None:
    with pytest.raises(DeviceError, match="is not there; there is none at all"):
        remembered("usb", USB).choose([])
