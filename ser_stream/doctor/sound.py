"""The way from a sound card to PortAudio: server, ALSA, permissions."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ser_stream.doctor.asking import ask
from ser_stream.doctor.finding import Finding, fail, ok, warn

_SERVER_PCMS = ("pulse", "pipewire")
_CARDS = Path("/dev/snd")


def check(devices: list[dict[str, Any]]) -> Iterator[Finding]:
    """Look at the sound server, and at the way from PortAudio's inputs to it."""
    said = ask("pactl", "info")
    name = re.search(r"^Server Name: (.+)$", said or "", re.M)
    if name:
        yield ok("sound server", f"{name[1]} answers")
        yield _plugin(devices)
    elif _server_socket() is not None:
        yield warn(
            "sound server",
            f"there is a sound server, but pactl cannot ask it: {_server_socket()}",
            "Debian, Ubuntu: apt install pulseaudio-utils; Fedora: dnf install "
            "pulseaudio-utils. Then microphones have their names",
        )
        yield _plugin(devices)
    elif _captures():
        yield from _cards()
    else:
        yield _no_server()


def _no_server() -> Finding:
    if not os.environ.get("XDG_RUNTIME_DIR"):
        return fail(
            "sound server",
            "XDG_RUNTIME_DIR is not set, so this is no session of a user, and neither "
            "PipeWire nor PulseAudio can be found; there is no sound card for ALSA",
            "run as the user who logs in, as a service: ser-stream install-service, "
            "and loginctl enable-linger where no user logs in",
        )
    if os.geteuid() == 0:
        return fail(
            "sound server",
            "root has no sound server, as it belongs to the user who logged in; there "
            "is no sound card for ALSA either",
            "run this as that user, without sudo",
        )
    return fail(
        "sound server",
        "neither PipeWire nor PulseAudio answers, and there is no sound card for ALSA",
        "systemctl --user start pipewire pipewire-pulse wireplumber; or pulseaudio "
        "--start; see docs/service.md for containers and SSH",
    )


def _server_socket() -> str | None:
    """A socket that a sound server listens on, if `pactl` is missing."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    path = Path(folder) / "pulse" / "native"
    if ask("pactl", "--version") is None and folder and path.is_socket():
        return str(path)
    return None


def _plugin(devices: list[dict[str, Any]]) -> Finding:
    reached = any(
        device["name"] in _SERVER_PCMS or device["host_api"] == "PulseAudio"
        for device in devices
        if device["index"] is not None
    )
    if reached:
        return ok("ALSA plug-in", "PortAudio reaches the sound server")
    return fail(
        "ALSA plug-in",
        "PortAudio speaks ALSA, and ALSA cannot reach the sound server",
        "Debian, Ubuntu: apt install libasound2-plugins, or pipewire-alsa; Fedora: dnf "
        "install alsa-plugins-pulseaudio, or pipewire-alsa",
    )


def _captures() -> list[Path]:
    return sorted(_CARDS.glob("pcmC*D*c")) if _CARDS.is_dir() else []


def _cards() -> Iterator[Finding]:
    closed = [path for path in _captures() if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        yield fail(
            "permissions",
            f"this user may not open {closed[0]}",
            "sudo usermod --append --groups audio $USER, then log in again",
        )
    else:
        yield ok("sound server", "none answers; ALSA opens the sound cards itself")
