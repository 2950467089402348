"""How many frames a device lost, told by the clock.

Nobody else tells. PortAudio flags an overflow without its length. When a process is
stopped for long (45 s: Ctrl-Z, a debugger), PulseAudio keeps about 25 s for it, drops
the rest (20 s), and no flag is ever raised. And a machine that sleeps records nothing.
"""

PAUSE_S = 1.0
"""A longer silence of the callback makes us suspicious."""
CALM_CALLBACKS = 3
"""What was kept comes in a burst; so many at the usual pace, and it is over."""
SLACK_S = 0.25
"""Callbacks come this irregularly without any loss."""


class DeviceClock:
    """Compares the frames that came with the time that passed."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._last: float | None = None
        self._late = 0.0
        self._late_before: float | None = None
        self._calm = 0

    @property
    def began(self) -> float:
        """Time at which frame 0 was heard, seconds, as the last callbacks show it."""
        # While a burst comes in, or after a sleep, the last of them show nothing.
        return self._late if self._late_before is None else self._late_before

    def lost(self, index: int, frames: int, now: float, overflow: bool) -> int:
        """Frames lost before the `frames` that a callback brings.

        Args:
            index: Frame at which they would begin if nothing was lost.
            frames: How many they are.
            now: `clock.elapsed` of the callback, seconds.
            overflow: Whether PortAudio says that something was lost.
        """
        if self._last is None:
            # Some devices begin with an overflow: nobody listened before.
            overflow = False
        pause = 0.0 if self._last is None else now - self._last
        late = now - (index + frames) / self._rate
        lost = 0
        if overflow:
            # The buffer was thrown away: at the very least one callback's worth.
            lost = max(frames, round(pause * self._rate) - frames)
        elif self._late_before is not None:
            usual = pause > 0.5 * frames / self._rate
            self._calm = self._calm + 1 if usual else 0
            if self._calm == CALM_CALLBACKS:
                if late - self._late_before > SLACK_S:
                    lost = round((late - self._late_before) * self._rate)
                self._late_before = None
        elif pause > PAUSE_S:
            self._late_before = self._late
            self._calm = 0
        self._last = now
        self._late = late - lost / self._rate
        return lost
