"""The path of a Unix socket, claimed by one daemon and no other."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from pathlib import Path

from ser_stream.errors import SinkError

MODE = 0o600
"""Permissions of the socket: its owner, and root."""
FOLDER_MODE = 0o700


class UnixClaim:
    """Binds a path; a stale socket there is replaced, anything else is left alone.

    A lock beside it, held as long as we live, decides between two that start at once:
    the system gives it back however we end.
    """

    def __init__(self, path: str) -> None:
        """Claim and bind.

        Raises:
            SinkError: if another daemon listens there, something else is there, or it
                is not permitted.
        """
        self._path = path
        # Where something else is, not even a lock is made.
        _is_there(path)
        self._lock = _lock(path)
        try:
            _clear(path)
            self.socket = _bind(path)
            self._identity = _identity(path)
        except BaseException:
            self._unlock()
            raise

    def release(self) -> None:
        """Take the socket's file away, if it is still ours."""
        if _identity(self._path) == self._identity:
            with contextlib.suppress(OSError):
                Path(self._path).unlink()
        self._unlock()

    def _unlock(self) -> None:
        with contextlib.suppress(OSError):
            # A file with something in it is another's.
            if _is_lock(self._lock, self._path) and not os.fstat(self._lock).st_size:
                _lock_path(self._path).unlink()
        os.close(self._lock)


def _lock_path(path: str) -> Path:
    return Path(path).with_name(f".{Path(path).name}.lock")


def _is_lock(lock: int, path: str) -> bool:
    """Whether it is what lies there now."""
    opened = os.fstat(lock)
    return _identity(_lock_path(path)) == (opened.st_dev, opened.st_ino)


def _lock(path: str) -> int:
    try:
        Path(path).parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        while True:
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW
            lock = os.open(_lock_path(path), flags, MODE)
            try:
                opened = os.fstat(lock)
                if opened.st_size or not stat.S_ISREG(opened.st_mode):
                    raise SinkError(
                        f"{_lock_path(path)} is there and is no lock of ours; move it "
                        "away, or choose another path for the socket"
                    )
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_lock(lock, path):
                    return lock
            except BaseException:
                os.close(lock)
                raise
            # Its holder removed the file just now: ours is no lock any more.
            os.close(lock)
    except BlockingIOError:
        raise SinkError(_living(path)) from None
    except OSError as error:
        raise SinkError(_not_permitted(path, error)) from None


def _is_there(path: str) -> bool:
    """Whether there is a socket; whatever else is there is refused."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SinkError(_not_permitted(path, error)) from None
    if not stat.S_ISSOCK(mode):
        raise SinkError(
            f"{path} is there and is no socket; move it away, or choose another path"
        )
    return True


def _clear(path: str) -> None:
    """Take a stale socket away."""
    if not _is_there(path):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(path)
    if code == errno.ECONNREFUSED:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
    elif code in (0, errno.EAGAIN):
        raise SinkError(_living(path))
    elif code != errno.ENOENT:
        raise SinkError(_not_permitted(path, OSError(code, os.strerror(code))))


def _bind(path: str) -> socket.socket:
    result = socket.socket(socket.AF_UNIX)
    try:
        # Before there is a file: no other user can open it, not even for a moment.
        os.fchmod(result.fileno(), MODE)
        result.bind(path)
        # For systems that do not look at the mode of what is bound.
        Path(path).chmod(MODE)
        result.listen(socket.SOMAXCONN)
    except OSError as error:
        result.close()
        raise SinkError(_not_permitted(path, error)) from None
    return result


def _identity(path: str | Path) -> tuple[int, int] | None:
    try:
        status = Path(path).lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _living(path: str) -> str:
    return f"another daemon listens on {path}; stop it, or choose another path"


def _not_permitted(path: str, error: OSError) -> str:
    return (
        f"cannot listen on {path}: {error.strerror}; choose a path in a folder that "
        "you may write to, such as $XDG_RUNTIME_DIR/ser-stream"
    )
