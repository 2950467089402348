"""Time that passes when a test says so."""


class StandingClock:
    """Stands where it was, until it is told to go on."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        """Of `time`."""
        return 1000.0 + self.passed

    def time(self) -> float:
        """Of `time`."""
        return 2_000_000_000.0 + self.passed
