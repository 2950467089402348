"""What a short recording tells about a microphone."""

from collections.abc import Iterator

from ser_stream.doctor.asking import ask
from ser_stream.doctor.finding import Finding, fail, mend, ok, warn
from ser_stream.doctor.hearing import Hearing

QUIET_DBFS = -55.0
"""Under it nobody spoke near the microphone, or its volume is next to nothing."""
CLIPPED_SHARE = 0.001
"""Of the samples; loud speech touches full scale now and then."""
MISSING_SHARE = 0.4
"""Of the samples; the first may take half a second."""


def check(hearing: Hearing, wanted: str, holder: str | None) -> Iterator[Finding]:
    """Judge a recording.

    Args:
        hearing: what was recorded.
        wanted: `mic` or `mic:NAME`.
        holder: who of ours records already, or None.
    """
    if hearing.failed in ("hang", "crash"):
        yield fail(
            "microphone",
            f"the sound system fails while it is asked: {hearing.error}",
            "start it anew: systemctl --user restart pipewire pipewire-pulse "
            "wireplumber, or pulseaudio -k",
        )
        return
    if hearing.failed == "load":
        yield mend("PortAudio", hearing.error, "pip install sounddevice")
        return
    yield ok("PortAudio", hearing.portaudio)
    inputs = ", ".join(f"{d['name']} (mic:{d['selector']})" for d in hearing.devices)
    if inputs:
        yield ok("devices", inputs)
    if hearing.failed == "open" and holder is not None:
        yield ok("microphone", f"{hearing.device} is in use, by {holder}")
    elif hearing.failed == "resolve" and hearing.devices:
        what = hearing.error.partition("; ")[0]
        fix = "ser-stream devices lists them; then --input mic:NAME"
        yield fail("microphone", f"{wanted}: {what}", fix)
    elif hearing.failed:
        fix = "plug it in, and close programs that hold it"
        yield mend("microphone", hearing.error, fix)
    else:
        yield _judged(hearing)


def _judged(hearing: Hearing) -> Finding:
    name, source = hearing.device, hearing.pulse_source
    volume = "its volume in the sound settings, or in alsamixer"
    mute = "unmute it in the sound settings, or with alsamixer and its switch"
    target = source or ("@DEFAULT_SOURCE@" if ask("pactl", "info") else None)
    if target:
        volume = f"pactl set-source-volume {target} 100%"
        mute = f"pactl set-source-mute {target} 0"
    if hearing.missing > MISSING_SHARE:
        return fail(
            "microphone",
            f"{name} delivers no sound"
            if not hearing.seconds
            else f"{name} stutters: {hearing.missing:.0%} of the sound is missing",
            "unplug it and plug it in again; choose another with --input mic:NAME",
        )
    if target and (ask("pactl", "get-source-mute", target) or "").endswith("yes"):
        return fail("microphone", f"{name} is muted", mute)
    if hearing.peak == 0:
        return fail(
            "microphone",
            f"{name} delivers exact zeros: it is muted, has a switch that is off, or "
            "nothing is connected to it",
            mute,
        )
    level = f"the loudest 0.1 s was {hearing.loudest_dbfs:.0f} dBFS"
    if hearing.clipped > CLIPPED_SHARE:
        return warn(
            "microphone",
            f"{name} clips: {hearing.clipped:.1%} of the samples are at full scale",
            f"turn it down: {volume.replace('100%', '50%')}",
        )
    if hearing.loudest_dbfs < QUIET_DBFS:
        return warn(
            "microphone",
            f"{name} hears nothing but a whisper: {level}",
            f"speak while this listens; if it stays so, turn it up: {volume}",
        )
    return ok("microphone", f"{name} hears: {level}")
