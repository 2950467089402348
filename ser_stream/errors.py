"""The errors of ser-stream, and the exit status each one ends the program with.

SerStreamError              1
├── ConfigError             2   a flag, a setting or a file of settings is wrong
├── SourceError             2   the input cannot be read
│   └── DeviceError         3   no such microphone, or it cannot be opened
├── ModelError              4   a bundle is missing, damaged or of another front end
├── SinkError               5   an output or address cannot be used
├── MissingLibraryError    69   a library or extra is not installed
└── StoppedError          130   a signal came before what was asked for was done

QuietEndError               0   no error at all: a signal, or the reader has left

Each message says what was wrong, what is allowed, and what to do next; the command
line prints it as one line on stderr.
"""

from typing import ClassVar


class SerStreamError(Exception):
    exit_status: ClassVar[int] = 1


class QuietEndError(BaseException):
    """Nothing is wrong: a signal came, or the reader of the output has left.

    No `Exception`, as KeyboardInterrupt is none: it can come anywhere, and a handler of
    all that a library raises must not take it for an error.
    """

    def __init__(self, signal: int | None = None) -> None:
        super().__init__()
        self.signal = signal
        """Which one came; None where the reader has left."""


class ConfigError(SerStreamError):
    exit_status = 2


class SourceError(SerStreamError):
    exit_status = 2


class DeviceError(SourceError):
    exit_status = 3


class ModelError(SerStreamError):
    exit_status = 4


class SinkError(SerStreamError):
    exit_status = 5


class MissingLibraryError(SerStreamError):
    exit_status = 69


class StoppedError(SerStreamError):
    exit_status = 130
