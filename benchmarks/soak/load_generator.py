"""Subscribers of several kinds, in a process of their own."""

from benchmarks.child_process import ChildProcess
from benchmarks.soak.load_process import Load, run

__all__ = ["Load", "LoadGenerator"]


class LoadGenerator(ChildProcess):
    """A context manager that sends them away.

    At its end all have the newest event.
    """

    def __init__(self, load: Load) -> None:
        """Let them come; returns when the daemon has answered all healthy ones."""
        super().__init__(run, load)
