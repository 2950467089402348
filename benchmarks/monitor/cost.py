"""What the monitor costs."""


def measure() -> None:
    """Print."""
