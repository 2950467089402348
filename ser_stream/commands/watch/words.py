"""Numbers as the view says them."""

from datetime import datetime


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def span(ms: float) -> str:
    """Milliseconds as people say them: `3.2 s`, `2 min`, `2:05 min`."""
    seconds = ms / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} min" if rest else f"{minutes} min"


def local_time(text: str) -> str:
    """A time of the protocol as the hour, minute and second of here."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return ""
