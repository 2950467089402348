"""The command line: flags and their help. What a command does is in `commands/`."""

import os

# The arrays are small: OpenBLAS's threads would only cost memory and wake-ups. Must be
# set before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ser_stream.cli.program import main_and_exit, run

__all__ = ["main_and_exit", "run"]
