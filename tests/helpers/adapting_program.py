"""`ser-stream` with a small child in place of torch's, and an input."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray

PROGRAM = """
import json, os, sys
from ser_stream.adaptation import adapter
from ser_stream.adaptation.child_process import RoundRunner
from ser_stream.cli import main_and_exit
child = json.loads(os.environ["TINY_CHILD"])
adapter.RoundRunner = lambda: RoundRunner(child)
main_and_exit()
"""
"""Code to run; the worker's command is in the variable TINY_CHILD, as JSON."""


def write_talk(clips: Iterable[FloatArray], path: Path) -> Path:
    """A minute of speech with few pauses."""
    turn = [*clips, np.zeros(12_800, np.float32)]
    soundfile.write(path, np.concatenate(turn * 5), SAMPLE_RATE)
    return path
