"""The clock of a container, by which sound may begin late or have holes."""

import os
import select
import threading
from collections import deque

TOLERANCE_S = 0.25
"""Seconds by which sound and clock may differ: encoders delay, and clocks drift."""
LONGEST_S = 3600.0
"""Seconds; a clock that goes ahead by more was set anew, and nothing is missing."""

PATIENCE_S = 2.0
"""Seconds for which samples may wait for their line, which ffmpeg writes before."""


class Timeline:
    """Where silence belongs between samples, as ffmpeg's `framecrc` tells it.

    That has a line for each frame of samples, with its time and its bytes: `0, dts,
    pts, duration, size, checksum`. Times are samples, of which the first of the whole
    file, of its picture too, is 0. A clock that goes back was set anew: no sound is
    ever left out.

    Attributes:
        writer: descriptor that ffmpeg writes the lines to.
    """

    def __init__(self) -> None:
        """Open the pipe for the lines."""
        reader, self.writer = os.pipe()
        self._lines = os.fdopen(reader, "rb")
        self._ours = os.fdopen(self.writer, "wb", 0)
        self._changed = threading.Condition()
        self._holes: deque[tuple[int, int]] = deque()
        self._known = 0
        self._ended = False
        self._thread: threading.Thread | None = None

    def follow(self, rate: int, frame_bytes: int) -> None:
        """Read the lines, once ffmpeg has begun, in a thread of their own.

        Args:
            rate: samples a second.
            frame_bytes: of a sample of all channels.
        """
        self._ours.close()
        thread = threading.Thread(
            target=self._follow, args=(rate, frame_bytes), daemon=True
        )
        thread.start()
        self._thread = thread

    def due(self, position: int, samples: int) -> tuple[int, int | None]:
        """What comes at a sample; waits until that is known.

        Args:
            position: how many samples came before, without silence that was put in.
            samples: descriptor of the pipe that they come by. If it has some, and no
                line is there, none is waited for any more.

        Returns:
            How many samples of silence, which is told once; and how many samples then
            come at least without any between, None for all there are.
        """
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._ended or self._known > position, PATIENCE_S
            ):
                if _has_bytes(samples) and not _has_bytes(self._lines.fileno()):
                    self._ended = True
            silence = 0
            if self._holes and self._holes[0][0] <= position:
                _, silence = self._holes.popleft()
            end = self._holes[0][0] if self._holes else self._known
            return silence, end - position if end > position else None

    def _follow(self, rate: int, frame_bytes: int) -> None:
        tolerance, longest = round(TOLERANCE_S * rate), round(LONGEST_S * rate)
        shift = filled = position = 0
        try:
            for line in self._lines:
                fields = line.split(b",")
                if line.startswith(b"#") or len(fields) < 5:
                    continue
                missing = int(fields[2]) + shift - (position + filled)
                if not -tolerance <= missing <= longest:
                    shift -= missing
                    missing = 0
                with self._changed:
                    if missing > tolerance:
                        self._holes.append((position, missing))
                        filled += missing
                    position += int(fields[4]) // frame_bytes
                    self._known = position
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._lines.close()
                self._changed.notify_all()

    def close(self) -> None:
        """Free the pipe; ffmpeg must have ended."""
        self._ours.close()
        if self._thread is None:
            self._lines.close()
        else:
            # A process that a wrapper of ffmpeg left behind may hold it open.
            self._thread.join(PATIENCE_S)


def _has_bytes(fd: int) -> bool:
    """Whether reading a pipe would not wait."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
