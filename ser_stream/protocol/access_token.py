"""The token that subscribers over a network must know.

It is never a flag or a key: command lines and settings are seen by too many.
"""

import os
import re
import shlex
import stat
from pathlib import Path

from ser_stream.errors import ConfigError
from ser_stream.paths import user_path

VARIABLE = "SER_STREAM_TOKEN"


def read_token(file: str | Path | None) -> str | None:
    """The token: of the environment, else of the file, else None.

    Raises:
        ConfigError: if the file cannot be read, others can read it, or it holds none.
    """
    token = os.environ.get(VARIABLE)
    if token:
        return _checked(token.strip(), VARIABLE)
    if file is None:
        return None
    return _checked(
        read_secret("token_file", file), f"token_file {user_path(str(file))}"
    )


def read_secret(name: str, file: str | Path) -> str:
    """What a file holds that nobody else may read, without space around it.

    Args:
        name: of the setting that names the file.
        file: its path.

    Raises:
        ConfigError: if it cannot be read, or others can read it.
    """
    path = user_path(str(file))
    try:
        with path.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(4096)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read {name} {path}: {reason}") from None
    # A group of its own may share it, as systemd's credentials do.
    if mode & stat.S_IRWXO:
        raise ConfigError(
            f"{name} {path} is open to all users; do: chmod 600 "
            f"{shlex.quote(str(path))}"
        )
    return data.decode(errors="replace").strip()


def _checked(token: str, where: str) -> str:
    # What fits into a header of HTTP.
    if not re.fullmatch(r"[!-~]{8,1024}", token):
        raise ConfigError(
            f"{where} holds no token: allowed are 8 to 1024 ASCII letters, digits and "
            "signs in one word; make one with: openssl rand -hex 16"
        )
    return token
