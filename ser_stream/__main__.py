"""Entry point of `ser-stream` and `python -m ser_stream`."""

import os
import sys

# The arrays are small: OpenBLAS's threads would only cost memory and wake-ups. Must be
# set before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ser_stream.cli import run

if __name__ == "__main__":
    sys.exit(run())
