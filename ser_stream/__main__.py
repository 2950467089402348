"""Entry point of `ser-stream` and `python -m ser_stream`."""

import os
import signal


def main() -> None:
    """Run the command line, and exit."""
    # Ctrl-C while libraries are being loaded: nothing has begun, so nothing is lost.
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(0))
    from ser_stream.cli import main_and_exit

    main_and_exit()


if __name__ == "__main__":
    main()
