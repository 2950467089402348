"""Entry point of `ser-stream` and `python -m ser_stream`."""

import sys

from ser_stream.cli import run

if __name__ == "__main__":
    sys.exit(run())
