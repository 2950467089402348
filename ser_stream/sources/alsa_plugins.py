"""ALSA's plug-ins that nobody uses are let go of.

PortAudio's list of devices has ALSA open each once, and so every plug-in: that for
Dolby Digital alone brings all of FFmpeg. ALSA keeps them, and its configuration, until
PortAudio ends: on Debian 12 some 12 MB in 70 libraries.
"""

import ctypes
from contextlib import suppress


def release_unused() -> None:
    """Unload them, and forget the configuration, which the next opening reads again.

    Not while a device is being opened. Those that are open keep what they need.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_config_update_free_global()
