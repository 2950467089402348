"""What ALSA has to say goes to our log, at any time: it prints from its own threads."""

import ctypes
import logging
from contextlib import suppress
from typing import Any

_LOGGER = logging.getLogger(__name__)
_TEXT = ctypes.c_char_p
_Handler = ctypes.CFUNCTYPE(None, _TEXT, ctypes.c_int, _TEXT, ctypes.c_int, _TEXT)


def _log(
    _file: bytes, _line: int, function: bytes, _error: int, form: bytes, *_: Any
) -> None:
    # The numbers that the form asks for are out of reach: it is C's `...`.
    texts = [text.decode(errors="replace") for text in (function or b"", form or b"")]
    _LOGGER.debug("ALSA: %s: %s", *texts)


_HANDLER = _Handler(_log)
"""Kept for ever: ALSA may call it until the program ends."""


def take_over() -> None:
    """Have ALSA's library, where there is one, tell us instead of standard error."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_HANDLER)
