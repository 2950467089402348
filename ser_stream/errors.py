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
    """Anything ser-stream reports to its user."""

    exit_status: ClassVar[int] = 1


class QuietEndError(BaseException):
    """Nothing is wrong: a signal came, or the reader of the output has left.

    No `Exception`, as KeyboardInterrupt is none: it can come anywhere, and a handler of
    all that a library raises must not take it for an error.
    """


class ConfigError(SerStreamError):
    """A flag, a setting or a configuration file is wrong."""

    exit_status = 2


class SourceError(SerStreamError):
    """The input cannot be read, or does not hold usable audio."""

    exit_status = 2


class DeviceError(SourceError):
    """There is no such audio device, or it cannot be opened."""

    exit_status = 3


class ModelError(SerStreamError):
    """A model bundle is missing, damaged, or made for another front end."""

    exit_status = 4


class SinkError(SerStreamError):
    """An output or address cannot be used."""

    exit_status = 5


class MissingLibraryError(SerStreamError):
    """A library or an optional extra is not installed."""

    exit_status = 69


class StoppedError(SerStreamError):
    """A signal came before what was asked for was done."""

    exit_status = 130
