"""A name means one microphone, or the error says which ones there are."""

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_stream.errors import DeviceError
from ser_stream.sources.devices import InputDevice, choose
from tests.helpers.virtual_microphone import (
    REPOSITORY,
    VirtualMicrophone,
    environment,
    require,
    start_python,
    virtual_microphone,
)

DEVICES = "from ser_stream.commands.devices import devices; devices({as_json})"
RESOLVE = """
import sys
from ser_stream.errors import SerStreamError
from ser_stream.sources.devices import resolve
try:
    print(resolve(sys.argv[1]).selector)
except SerStreamError as error:
    print(type(error).__name__, error.exit_status, error)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as microphone:
        microphone.add_source("desk_left", "Desk Microphone, left", "room")
        microphone.add_source("desk_right", "Desk Microphone, right", "room")
        microphone.add_source("usb", "USB Grün 麦克风", "room")
        yield microphone


def run(code: str, env: dict[str, str], *arguments: str) -> str:
    """Output of a Python process that must succeed and keep stderr clean."""
    with start_python(code, env, *arguments) as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""
    return output.strip()


def listed(env: dict[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run(DEVICES.format(as_json=True), env))
    return rows


def test_the_list_holds_portaudio_s_inputs_and_the_server_s_sources(
    server: VirtualMicrophone,
) -> None:
    rows = {row["name"]: row for row in listed(server.env)}
    for name in ("mic_a", "pulse", "default"):
        assert rows[name]["host_api"] == "ALSA"
        assert isinstance(rows[name]["index"], int)
    assert rows["Monitor of Quiet Room"] == {
        "index": None,
        "name": "Monitor of Quiet Room",
        "host_api": "PulseAudio",
        "channels": 2,
        "default_rate": 48000,
        "default": rows["default"]["default"],
        "pulse_source": "room.monitor",
        "monitor": True,
        "card": None,
        "selector": "room.monitor",
    }
    assert not rows["Desk Microphone, left"]["monitor"]
    assert "USB Grün 麦克风" in rows


def test_the_table_marks_the_default_and_shows_channels_rate_and_host(
    server: VirtualMicrophone,
) -> None:
    lines = run(DEVICES.format(as_json=False), server.env).splitlines()
    assert lines[0].split() == ["mic:", "name", "channels", "rate", "host"]
    desk = next(line for line in lines if "Desk Microphone, left" in line)
    shown = " ".join(desk.split())
    assert shown == "desk_left Desk Microphone, left 2 48000 Hz PulseAudio"
    assert any(line.startswith("*") for line in lines[1:-1])


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("MIC_A", None),
        ("usb grün", "usb"),
        ("desk_left", "desk_left"),
        ("Desk Microphone, Right", "desk_right"),
        ("room.monitor", "room.monitor"),
        ("quiet room", "room.monitor"),
    ],
)
def test_a_device_is_found_by_its_name_or_a_part_of_it(
    server: VirtualMicrophone, name: str, selector: str | None
) -> None:
    if selector is None:
        rows = {row["name"]: row for row in listed(server.env)}
        selector = str(rows[name.lower()]["index"])
    assert run(RESOLVE, server.env, name) == selector


def test_a_number_selects_by_portaudio_s_index(server: VirtualMicrophone) -> None:
    assert run(RESOLVE, server.env, "1") == "1"
    answer = run(RESOLVE, server.env, "99")
    assert answer.startswith("DeviceError 3 no input device has number 99")
    assert "mic_a (mic:" in answer


def test_a_name_that_two_microphones_share_is_refused_with_both(
    server: VirtualMicrophone,
) -> None:
    assert run(RESOLVE, server.env, "desk") == (
        "DeviceError 3 'desk' fits several input devices: "
        "Desk Microphone, left (mic:desk_left), "
        "Desk Microphone, right (mic:desk_right)"
    )


def test_a_name_that_nothing_has_is_refused_with_what_there_is(
    server: VirtualMicrophone,
) -> None:
    answer = run(RESOLVE, server.env, "telephone")
    assert answer.startswith("DeviceError 3 no input device is called 'telephone'")
    assert "USB Grün 麦克风 (mic:usb)" in answer
    assert "\n" not in answer


@pytest.fixture
def silent_env() -> Iterator[dict[str, str]]:
    """A user whose sound server does not run."""
    require()
    cards = Path("/proc/asound/cards")
    if cards.exists() and "no soundcards" not in cards.read_text():
        pytest.skip("this computer has a sound card, so there is an input device")
    with tempfile.TemporaryDirectory() as folder:
        yield environment(Path(folder))


def test_without_any_input_device_the_error_says_so(silent_env: dict[str, str]) -> None:
    for name in ("", "desk"):
        answer = run(RESOLVE, silent_env, name)
        assert answer.startswith("DeviceError 3 there is no input device at all")
    assert listed(silent_env) == []
    table = run(DEVICES.format(as_json=False), silent_env)
    assert table == "There is no input device."


def test_without_portaudio_the_error_names_the_package(
    server: VirtualMicrophone,
) -> None:
    library = ctypes.util.find_library("portaudio")
    found = list(Path("/usr").glob(f"lib*/**/{library}"))
    hide = [f"mount --bind /dev/null '{path}'" for path in found]
    unshare = ["unshare", "--mount"] + (["--map-root-user"] if os.getuid() else [])
    command = [*unshare, "sh", "-c", " && ".join([*hide, 'exec "$@"']), "sh"]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare, to hide the library from one process")
    possible = subprocess.run([*command, "true"], capture_output=True, check=False)
    if possible.returncode:
        pytest.skip(f"the library cannot be hidden: {possible.stderr.decode()}")
    done = subprocess.run(
        [*command, sys.executable, "-c", RESOLVE, ""],
        env=server.env,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("MissingLibraryError 69 ")
    assert "apt install libportaudio2" in done.stdout
    assert done.stderr == ""


def test_without_the_package_sounddevice_the_error_names_it(tmp_path: Path) -> None:
    # What an import finds where the package is not.
    hidden = "import sys; sys.modules['sounddevice'] = None\n"
    answer = run(hidden + RESOLVE, {**os.environ, "PYTHONPATH": "."}, "")
    assert answer.startswith("MissingLibraryError 69 ")
    assert "pip install sounddevice" in answer


def device(name: str, index: int | None = 0, **more: Any) -> InputDevice:
    return InputDevice(index, name, "ALSA", 2, 48000, **{"default": False, **more})


RAW = device("USB PnP: Audio (hw:1,0)", 0, card=1)
OTHER_RAW = device("USB Camera: Audio (hw:2,0)", 1, card=2)
DEFAULT = device("default", 2, default=True)
SERVED = device("USB PnP Mono", None, pulse_source="alsa_input.usb-PnP", card=1)
MONITOR = device(
    "Monitor of USB PnP", None, pulse_source="alsa_output.usb-PnP.monitor", monitor=True
)


def test_a_card_that_the_sound_server_shares_is_not_taken_from_it() -> None:
    assert choose("usb pnp", [RAW, DEFAULT, SERVED, MONITOR]) is SERVED
    assert choose("0", [RAW, DEFAULT, SERVED, MONITOR]) is RAW
    assert choose(RAW.name, [RAW, DEFAULT, SERVED, MONITOR]) is RAW


def test_a_card_that_the_sound_server_does_not_have_counts_as_another() -> None:
    with pytest.raises(DeviceError, match="several"):
        choose("usb", [RAW, OTHER_RAW, SERVED])
    assert choose("camera", [RAW, OTHER_RAW, SERVED]) is OTHER_RAW


def test_an_exact_name_wins_over_a_longer_one_that_contains_it() -> None:
    devices = [device("Desk", 0), device("Desk 2", 1), DEFAULT]
    assert choose("desk", devices) is devices[0]


def test_two_microphones_of_one_name_are_told_apart_by_what_selects_them() -> None:
    twins = [
        device("USB PnP", None, pulse_source=f"alsa_input.usb-{k}") for k in range(2)
    ]
    with pytest.raises(DeviceError, match=r"mic:alsa_input\.usb-1"):
        choose("USB PnP", twins)
    assert choose("alsa_input.usb-1", twins) is twins[1]


def test_no_name_means_the_device_that_portaudio_calls_the_default() -> None:
    source = device("Headset", None, pulse_source="headset", default=True)
    assert choose("", [source, RAW, DEFAULT]) is DEFAULT
    with pytest.raises(DeviceError, match="no input device is the default"):
        choose("", [RAW])
