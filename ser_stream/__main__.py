"""Entry point of `ser-stream` and `python -m ser_stream`."""

import os
import signal
import sys
from types import FrameType

from ser_stream.commands import unfinished


def main() -> None:
    """Run the command line, and exit."""
    signal.signal(signal.SIGINT, _leave)
    from ser_stream.cli import main_and_exit

    main_and_exit()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C while libraries are loaded: nothing has begun, so nothing is lost."""
    if unfinished.is_unfinished(sys.argv[1:]):
        os.write(2, f"ser-stream: error: {unfinished.MESSAGE}\n".encode())
        os._exit(unfinished.STATUS)
    os._exit(0)


if __name__ == "__main__":
    main()
