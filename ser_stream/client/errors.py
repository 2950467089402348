"""What can go wrong between a client and a daemon.

SerStreamError
├── RefusedError         1   the daemon said no
│   └── AccessError      5   and always will: wrong token, no permission
├── NotRunningError      3   there is no daemon to control
└── SinkError            5
    ├── UnreachableError 5   nothing listens, or not any more, or too many are there;
    │                        another try may help
    └── ProtocolError    5   the program that listens does not speak protocol 1
"""

from ser_stream.errors import SerStreamError, SinkError


class RefusedError(SerStreamError):
    def __init__(self, text: str, code: str = "refused") -> None:
        super().__init__(text)
        self.code = code
        """For programs: `unknown_command`, `failed`, ...; see docs/protocol.md."""


class AccessError(RefusedError):
    exit_status = 5


class NotRunningError(SerStreamError):
    exit_status = 3


class UnreachableError(SinkError):
    """Nothing listens there, the connection was lost, or too many are connected.

    Another try may help.
    """


class ProtocolError(SinkError):
    """The program that listens there does not speak protocol 1."""
