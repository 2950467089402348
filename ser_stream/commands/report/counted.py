"""Which events of a run were counted, so that none counts twice or is lost unseen."""

from array import array
from bisect import bisect_left
from typing import Literal


class Counted:
    """Numbers and times of events, in the order of the numbers; 16 bytes for each."""

    def __init__(self) -> None:
        self._seqs = array("q")
        self._times = array("d")

    def place(
        self, seq: int, at: float
    ) -> Literal["next", "again", "of another run", "late"]:
        """What an event is to those that were counted.

        Args:
            seq: its number.
            at: its time, seconds since 1970.
        """
        if not self._seqs or seq > self._seqs[-1]:
            return "next"
        n = bisect_left(self._seqs, seq)
        if self._seqs[n] == seq and self._times[n] == at:
            return "again"
        # In a run numbers rise; where they begin anew, so did the daemon.
        return "of another run" if at > self._times[-1] else "late"

    def add(self, seq: int, at: float) -> None:
        """Count an event that is `next`."""
        self._seqs.append(seq)
        self._times.append(at)
