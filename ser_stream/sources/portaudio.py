"""PortAudio through `sounddevice`: imported late, and without chatter on stderr."""

import atexit
import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any

from ser_stream.errors import DeviceError, MissingLibraryError

_LOGGER = logging.getLogger(__name__)
_STDERR = 2
_LOCK = threading.Lock()
_CHANGE = threading.Lock()
_saved: list[int] = []
"""The true standard error, while `quiet`."""
_BEGINNINGS = (
    "Error opening InputStream: ",
    "Error starting stream: ",
    "Error initializing PortAudio: ",
)


def load() -> Any:
    """The `sounddevice` module; importing it starts PortAudio and scans devices.

    Raises:
        MissingLibraryError: if it, or the PortAudio library, is not installed.
        DeviceError: if PortAudio cannot be started.
    """
    try:
        with quiet():
            import sounddevice
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


def rescan() -> None:
    """Renew the list of devices.

    PortAudio looks for devices when it starts and never again. It is started anew,
    which ends all streams: close them first. Not for nothing: measured on Debian 12,
    each time takes 30 to 45 ms and leaks 13 KB (ALSA loads and unloads its plug-ins,
    one of them with all of FFmpeg).

    Raises:
        MissingLibraryError: if PortAudio is not installed.
        DeviceError: if PortAudio cannot be started.
    """
    started = "sounddevice" in sys.modules
    sd = load()
    if not started:
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what C libraries write to stderr to our log, at level DEBUG.

    ALSA and PortAudio print a dozen lines about devices that merely do not fit. They
    write to the descriptor itself, so it is the descriptor that has to be moved; for
    all threads, hence only around starting, probing and opening.
    """
    with _LOCK, _scratch() as chatter:
        try:
            saved = os.dup(_STDERR)
        except OSError:
            # Standard error is closed: nothing to keep quiet.
            yield
            return
        with _CHANGE:
            _saved.append(saved)
        try:
            os.dup2(chatter.fileno(), _STDERR)
            yield
        finally:
            with _CHANGE:
                _saved.clear()
                os.dup2(saved, _STDERR)
                os.close(saved)
            chatter.seek(0)
            for line in chatter.read().decode(errors="replace").splitlines():
                if line.strip():
                    _LOGGER.debug("audio library: %s", line.strip())


def loud() -> None:
    """End `quiet` before its time: a library hangs, and errors have to be seen."""
    with _CHANGE:
        for saved in _saved:
            os.dup2(saved, _STDERR)


def _scratch() -> IO[bytes]:
    # In memory where that is possible: disks are full, and folders read-only.
    create = getattr(os, "memfd_create", None)
    if create is None:
        return tempfile.TemporaryFile()
    return os.fdopen(create("chatter"), "w+b")


def reason(error: Exception) -> str:
    """A PortAudioError in one line, without its numbers."""
    text = str(error.args[0]) if error.args else str(error)
    for beginning in _BEGINNINGS:
        text = text.removeprefix(beginning)
    # "Unanticipated host error" says nothing; what the host says, does.
    if len(error.args) > 2 and isinstance(error.args[2], tuple) and error.args[2][2]:
        text = str(error.args[2][2])
    return text.strip().rstrip(".")
