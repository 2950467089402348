"""What a short recording tells about a microphone."""

from collections.abc import Iterator

from ser_stream.doctor.asking import ask
from ser_stream.doctor.finding import Finding, fail, mend, ok, warn
from ser_stream.doctor.microphone_test import MicrophoneTest

QUIET_DBFS = -55.0
"""Below it there was no speech near the microphone, or the volume is almost zero."""
CLIPPED_SHARE = 0.001
"""Share of the samples; loud speech touches full scale now and then."""
MISSING_SHARE = 0.4
"""Share of the samples; the first may take half a second."""


def check(test: MicrophoneTest, wanted: str, holder: str | None) -> Iterator[Finding]:
    """Findings about a recording of `mic` or `mic:NAME`, perhaps held by a daemon."""
    if test.failed in ("hang", "crash"):
        yield fail(
            "microphone",
            f"the sound system fails while it is asked: {test.error}",
            "start it anew: systemctl --user restart pipewire pipewire-pulse "
            "wireplumber, or pulseaudio -k",
        )
        return
    if test.failed == "load":
        yield mend("PortAudio", test.error, "pip install sounddevice")
        return
    yield ok("PortAudio", test.portaudio)
    inputs = ", ".join(f"{d['name']} (mic:{d['selector']})" for d in test.devices)
    if inputs:
        yield ok("devices", inputs)
    if test.failed == "open" and holder is not None:
        yield ok("microphone", f"{test.device} is in use, by {holder}")
    elif test.failed == "resolve" and test.devices:
        what = test.error.partition("; ")[0]
        fix = "ser-stream devices lists them; then --input mic:NAME"
        yield fail("microphone", f"{wanted}: {what}", fix)
    elif test.failed:
        fix = "plug it in, and close programs that hold it"
        yield mend("microphone", test.error, fix)
    else:
        yield _judged(test)


def _judged(test: MicrophoneTest) -> Finding:
    name, source = test.device, test.pulse_source
    volume = "its volume in the sound settings, or in alsamixer"
    mute = "unmute it in the sound settings, or with alsamixer and its switch"
    target = source or ("@DEFAULT_SOURCE@" if ask("pactl", "info") else None)
    if target:
        volume = f"pactl set-source-volume {target} 100%"
        mute = f"pactl set-source-mute {target} 0"
    if test.missing > MISSING_SHARE:
        return fail(
            "microphone",
            f"{name} delivers no sound"
            if not test.seconds
            else f"{name} stutters: {test.missing:.0%} of the sound is missing",
            "unplug it and plug it in again; choose another with --input mic:NAME",
        )
    if target and (ask("pactl", "get-source-mute", target) or "").endswith("yes"):
        return fail("microphone", f"{name} is muted", mute)
    if test.peak == 0:
        return fail(
            "microphone",
            f"{name} delivers exact zeros: it is muted, has a switch that is off, or "
            "nothing is connected to it",
            mute,
        )
    level = f"the loudest 0.1 s was {test.loudest_dbfs:.0f} dBFS"
    if test.clipped > CLIPPED_SHARE:
        return warn(
            "microphone",
            f"{name} clips: {test.clipped:.1%} of the samples are at full scale",
            f"turn it down: {volume.replace('100%', '50%')}",
        )
    if test.loudest_dbfs < QUIET_DBFS:
        return warn(
            "microphone",
            f"{name} picks up nothing but a whisper: {level}",
            f"speak while this listens; if it stays so, turn it up: {volume}",
        )
    return ok("microphone", f"{name} picks up sound: {level}")
