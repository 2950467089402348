"""How PulseAudio's library connects when PortAudio opens a device.

It looks at the environment and at a file that this names, and at nothing else that
PortAudio lets through.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ser_stream.service.environment import set_meanwhile

_SOURCE, _CONFIG = "PULSE_SOURCE", "PULSE_CLIENTCONFIG"
_FOLDERS = (
    ("XDG_CONFIG_HOME", "pulse"),
    ("HOME", ".config/pulse"),
    ("HOME", ".pulse"),
)
_SYSTEM = Path("/etc/pulse/client.conf")


@contextlib.contextmanager
def connecting_to(source: str | None) -> Iterator[None]:
    """Let what PortAudio opens meanwhile record from `source`, and never hang.

    With shared memory, when a server is killed between two calls of ALSA's plug-in,
    libpulse waits for ever for a block of it that the plug-in holds, and holds the lock
    that the plug-in needs to let go (16.1: `pa_memimport_free` in one thread,
    `pa_mutex_lock` under `snd_pcm_status` in the other). So there is none; a second
    of speech is 64 KB. Everything else is as the user's own configuration has it.

    Args:
        source: PulseAudio's name; None leaves it to the configuration.
    """
    with contextlib.ExitStack() as stack:
        if source is not None:
            stack.enter_context(set_meanwhile(_SOURCE, source))
        file = _in_memory()
        if file is not None:
            stack.enter_context(file)
            file.write(_configuration())
            file.flush()
            path = f"/proc/self/fd/{file.fileno()}"
            stack.enter_context(set_meanwhile(_CONFIG, path))
        yield


def _in_memory() -> IO[str] | None:
    """A file: disks are full, and folders read-only. None where it cannot be."""
    create = getattr(os, "memfd_create", None)
    try:
        return None if create is None else os.fdopen(create("client"), "w")
    except OSError:
        return None


def _configuration() -> str:
    return "".join(f".include {path}\n" for path in _files()) + "enable-shm = no\n"


def _files() -> list[Path]:
    """What libpulse would read by itself: one file, and those of its folder."""
    named = os.environ.get(_CONFIG)
    own = (
        Path(home) / name / _SYSTEM.name
        for variable, name in _FOLDERS
        if (home := os.environ.get(variable))
    )
    places = (Path(named).absolute(),) if named else (*own, _SYSTEM)
    first = next((path for path in places if path.is_file()), _SYSTEM)
    folder = first.with_name(f"{first.name}.d")
    return [path for path in (first, *sorted(folder.glob("*.conf"))) if path.is_file()]
