"""PortAudio through `sounddevice`: imported late, and without chatter on stderr."""

import atexit
import contextlib
import sys
import threading
import weakref
from typing import Any

from ser_stream.errors import DeviceError, MissingLibraryError
from ser_stream.sources import alsa_messages
from ser_stream.sources.decoders.chatter import loud, quiet

_BEGINNINGS = (
    "Error opening InputStream: ",
    "Error starting stream: ",
    "Error initializing PortAudio: ",
)

_ONE_AT_A_TIME = threading.RLock()
_NOTING = threading.Lock()
# Not to keep one alive that nobody closed.
_OPEN: "weakref.WeakSet[object]" = weakref.WeakSet()


def load() -> Any:
    """The `sounddevice` module; importing it starts PortAudio and scans devices.

    Raises:
        MissingLibraryError: if it, or the PortAudio library, is not installed.
        DeviceError: if PortAudio cannot be started.
    """
    try:
        with quiet():
            import sounddevice
        alsa_messages.take_over()
    except ImportError as error:
        raise MissingLibraryError(
            f"the microphone needs the Python package sounddevice ({error}); "
            "pip install sounddevice"
        ) from error
    except OSError as error:
        raise MissingLibraryError(
            f"the microphone needs the PortAudio library ({error}); Debian, Ubuntu: "
            "apt install libportaudio2; Fedora: dnf install portaudio; on macOS and "
            "Windows reinstall the package sounddevice, which brings it along"
        ) from error
    except Exception as error:
        # Its own PortAudioError, which cannot be named: the import just failed.
        raise DeviceError(f"PortAudio cannot be started: {error}") from error
    return sounddevice


def alone() -> contextlib.AbstractContextManager[object]:
    """For who looks for a device and opens it: numbers mean the same until the end."""
    return _ONE_AT_A_TIME


def note_open(stream: object) -> None:
    """Something records: until `note_closed`, PortAudio is not started anew."""
    with _NOTING:
        _OPEN.add(stream)


def note_closed(stream: object) -> None:
    with _NOTING:
        _OPEN.discard(stream)


def rescan() -> None:
    """Renew the list of devices, unless another microphone records.

    PortAudio looks for devices when it starts and never again. It is started anew,
    which ends all streams: so it is left alone as long as there is one. Then what was
    seen before can be opened again, and every source of a sound server, which we list
    ourselves; a card that is new is found when nothing records any more.

    Not for nothing: measured on Debian 12, each time takes 30 to 45 ms and leaks 13 KB
    (ALSA loads and unloads its plug-ins, one of them with all of FFmpeg).

    Raises:
        MissingLibraryError: if PortAudio is not installed.
        DeviceError: if PortAudio cannot be started.
    """
    started = "sounddevice" in sys.modules
    sd = load()
    with _NOTING:
        records = bool(_OPEN)
    if not started or records:
        return
    with quiet():
        # Refused if the last start failed.
        with contextlib.suppress(sd.PortAudioError):
            sd._terminate()
        try:
            sd._initialize()
        except sd.PortAudioError as error:
            raise DeviceError(
                f"PortAudio cannot be started: {reason(error)}"
            ) from error


def abandon() -> None:
    """Let the process end although PortAudio hangs: it would be waited for."""
    loud()
    sounddevice = sys.modules.get("sounddevice")
    if sounddevice is not None:
        atexit.unregister(sounddevice._exit_handler)


def reason(error: Exception) -> str:
    """A PortAudioError in one line, without its numbers."""
    text = str(error.args[0]) if error.args else str(error)
    for beginning in _BEGINNINGS:
        text = text.removeprefix(beginning)
    # "Unanticipated host error" says nothing; what the host says, does.
    if len(error.args) > 2 and isinstance(error.args[2], tuple) and error.args[2][2]:
        text = str(error.args[2][2])
    return text.strip().rstrip(".")
