"""How many frames a device lost, told by the clock.

Nothing else shows it. PortAudio flags an overflow without its length. When a process is
stopped for long (45 s: Ctrl-Z, a debugger), PulseAudio keeps about 25 s for it, drops
the rest (20 s), and no flag is ever raised. And a machine that sleeps records nothing.
"""

import math

WINDOW_S = 0.5
"""The callback that comes least late in so many seconds counts."""
MIN_CALLBACKS = 3
"""Fewer show nothing."""
BURST = 1.5
"""Times real time: what was kept is still coming in, and shows nothing either."""
SLACK_S = 0.25
"""So much later may callbacks come from now on without any loss."""
DRIFT_S = 0.001
"""So much later they may come from window to window because clocks differ."""


class DeviceClock:
    """Compares the frames that came with the time that passed.

    One callback may come late; but if even the most punctual of half a second does,
    frames are missing. What a stopped process finds waiting for it, on the other hand,
    comes in a burst, at the end of which the callbacks are as punctual as before.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: float | None = None
        self._usual: float | None = None
        self._begin(-math.inf)

    def _begin(self, now: float) -> None:
        self._window = now
        self._frames = self._callbacks = 0
        self._least = math.inf

    @property
    def began(self) -> float:
        """Time of frame 0, seconds, as punctual callbacks show it."""
        return self._least if self._usual is None else self._usual

    def lost(self, index: int, frames: int, now: float, overflow: bool) -> int:
        """Frames lost before the `frames` that a callback brings.

        Args:
            index: Frame at which they would begin if nothing was lost.
            frames: How many they are.
            now: `clock.elapsed` of the callback, seconds.
            overflow: Whether PortAudio says that something was lost.
        """
        lost = self._missing(now)
        if overflow and self._last is not None:
            # Some devices begin with an overflow: nothing had read before.
            # The buffer was thrown away: at the very least one callback's worth.
            pause = now - self._last
            lost = max(lost, frames, round(pause * self._rate) - frames)
            self._begin(now)
        self._last = now
        self._frames += frames
        self._callbacks += 1
        late = now - (index + lost + frames) / self._rate
        self._least = min(self._least, late)
        return lost

    def _missing(self, now: float) -> int:
        """Frames that the callbacks before this one show to be missing."""
        passed = now - self._window
        if passed < WINDOW_S:
            return 0
        lost = 0
        burst = self._frames > BURST * passed * self._rate
        if self._usual is None:
            self._usual = self._least if self._callbacks else None
        elif self._callbacks >= MIN_CALLBACKS and not burst:
            later = self._least - self._usual
            if later > SLACK_S:
                lost = round(later * self._rate)
            else:
                self._usual += min(later, DRIFT_S)
        self._begin(now)
        return lost
