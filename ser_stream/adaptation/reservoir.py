"""Windows of recent speech, for a round to learn from: features, never audio.

Bounded, and balanced over predicted class, turn and time, so that neither one emotion
nor a long monologue nor the last minute is all that a round gets. The window to remove
is of the class that has most, there of a turn that has most, and of those the one whose
neighbours in time are the closest. Time is counted in windows added, about one a second
of speech, and on a logarithmic scale: minutes stay in detail, days in outline.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ser_stream.adaptation.stored_windows import StoredWindow, pack, unpack
from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.values import FloatArray, SpeechWindow

LEAST_WINDOWS = 40
"""Fewer are too little to learn from."""
CAPACITY = 400
"""Windows kept unless told otherwise: 14 MB with 78 features a frame."""
MOST_OF_A_TURN = 10
"""Windows of one turn. A hum that the VAD takes for a voice is one long turn."""
RECENT = 180
"""Age in windows, three minutes of speech, from which time grows coarser."""


class Reservoir:
    """A bounded choice of the windows added; any thread may use it."""

    def __init__(self, n_classes: int, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._n_classes = n_classes
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._kept: list[StoredWindow] = []
            self._n_added = 0
            self._since_mark = 0
            self._turn_and_end: tuple[int, int] | None = None
            self._stretch = 0
            self._heard_of_turn = 0

    def add(self, window: SpeechWindow) -> None:
        """Take a window in; at a limit, leave out one that has most others like it.

        What is kept is a copy, the frames in half precision: within 0.05 %. A window
        with what is no number, or none of that precision, is left out.

        Raises:
            ValueError: if it has another number of scores.
        """
        if len(window.scores) != self._n_classes:
            raise ValueError(
                f"the window has {len(window.scores)} scores, not {self._n_classes}"
            )
        with np.errstate(over="ignore"):
            frames, scores = window.frames.astype(np.float16), window.scores.copy()
        if not (np.isfinite(frames).all() and np.isfinite(scores).all()):
            # One of them would spoil all that is read back together with it.
            return
        with self._lock:
            self._follow_turns(window)
            self._kept.append(
                StoredWindow(
                    frames,
                    scores,
                    end=window.end,
                    turn=window.turn,
                    stretch=self._stretch,
                    arrival=self._n_added,
                    label=int(scores.argmax()),
                )
            )
            self._n_added += 1
            self._since_mark += self._heard_of_turn <= MOST_OF_A_TURN
            same = [kept for kept in self._kept if kept.stretch == self._stretch]
            if len(same) > MOST_OF_A_TURN:
                self._leave_one_out(same)
            self._shrink()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def n_added(self) -> int:
        """Windows ever added."""
        return self._n_added

    @property
    def windows_since_mark(self) -> int:
        """Windows added since `mark`, of one turn no more than are kept of it.

        So an hour of hum, or of a song that never pauses, is next to no news.
        """
        return self._since_mark

    def mark(self) -> None:
        """Count what is new from here: a round begins."""
        with self._lock:
            self._since_mark = 0

    def class_shares(self) -> FloatArray:
        """Share of each predicted class in what is kept, (n_classes,); 0 if empty."""
        kept = self._snapshot()[0]
        counts = np.bincount([one.label for one in kept], minlength=self._n_classes)
        return (counts / max(1, len(kept))).astype(np.float32)

    def windows(self) -> list[SpeechWindow]:
        """What is kept, oldest first; frames in single precision, made at each call."""
        return [
            SpeechWindow(
                kept.frames.astype(np.float32), kept.scores.copy(), kept.end, kept.turn
            )
            for kept in self._snapshot()[0]
        ]

    def write(self, file: IO[bytes]) -> None:
        """Write it to a file or a pipe, as `stored_windows` says."""
        file.write(self._bytes())

    @classmethod
    def read(
        cls,
        file: IO[bytes],
        n_classes: int,
        capacity: int = CAPACITY,
        geometry: Geometry = CPAC,
    ) -> "Reservoir":
        """What `write` wrote, up to the end of the file or pipe.

        Raises:
            ValueError: if it is damaged, or of a model with other classes.
        """
        reservoir = cls(n_classes, capacity)
        reservoir._kept, reservoir._n_added = unpack(file.read(), n_classes, geometry)
        reservoir._stretch = max((kept.stretch for kept in reservoir._kept), default=0)
        reservoir._shrink()
        return reservoir

    def save(self, path: Path) -> None:
        """Write it to a file that only its owner may read, whole or not at all.

        Raises:
            OSError: if it cannot be written; what was there is then still there.
        """
        replace_file(path, self._bytes(), mode=0o600)

    @classmethod
    def load(
        cls,
        path: Path,
        n_classes: int,
        capacity: int = CAPACITY,
        geometry: Geometry = CPAC,
    ) -> "Reservoir":
        """What `save` saved; an empty one if there is no such file.

        Raises:
            ConfigError: if the file cannot be read or is damaged.
        """
        try:
            with path.open("rb") as file:
                return cls.read(file, n_classes, capacity, geometry)
        except FileNotFoundError:
            return cls(n_classes, capacity)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the features of speech in {path} cannot be used: {error}; delete "
                "the file, or run `ser-stream adapt reset`"
            ) from None

    def _follow_turns(self, window: SpeechWindow) -> None:
        before, self._turn_and_end = self._turn_and_end, (window.turn, window.end)
        # A new stream counts turns and samples from the beginning again.
        if before is None or window.turn != before[0] or window.end <= before[1]:
            self._stretch += 1
            self._heard_of_turn = 0
        self._heard_of_turn += 1

    def _shrink(self) -> None:
        while len(self._kept) > self.capacity:
            self._leave_one_out(self._kept)

    def _leave_one_out(self, among: Sequence[StoredWindow]) -> None:
        label, _ = Counter(kept.label for kept in among).most_common(1)[0]
        alike = [kept for kept in among if kept.label == label]
        of_turn = Counter(kept.stretch for kept in alike)
        most = max(of_turn.values())
        ages = np.array([self._n_added - kept.arrival for kept in alike])
        gaps = _gaps(np.log(RECENT + ages))
        gaps[[of_turn[kept.stretch] < most for kept in alike]] = np.inf
        self._kept.remove(alike[int(gaps.argmin())])

    def _snapshot(self) -> tuple[list[StoredWindow], int]:
        # Stored windows never change, so a snapshot needs the lock only for the list.
        with self._lock:
            return list(self._kept), self._n_added

    def _bytes(self) -> bytes:
        kept, n_added = self._snapshot()
        return pack(kept, self._n_classes, n_added)


def _gaps(times: NDArray[np.float64]) -> NDArray[np.float64]:
    # How far apart the neighbours of each are; the first and the last have but one.
    gaps = np.full(len(times), np.inf)
    gaps[1:-1] = times[:-2] - times[2:]
    return gaps
