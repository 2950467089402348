"""What runs: threads, the device's recovery, requests, systemd.

daemon        puts everything together, and ends it
worker        the one thread that computes
computing     many streams' chunks in one go; who fails, fails alone
stream        what is one stream's own: pipeline and announcer
feed          a source and its streams, and how the worker comes by their items
inbox         of many sources: a reader for each, and what has come
open_feeds    the sources that the settings name, opened, with their streams
mailbox       work that other threads hand to it, between two steps
announcer     a stream's events as messages to all sinks
control       status, pause, resume, reload
speakers      what users enroll and teach, kept and put to work
voices        who is told apart: named, merged, forgotten, kept
pause_state   whether it was paused, over a restart
watchdog      what systemd is told
serve/        what runs under `ser-stream serve`: many streams over the network
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_stream.daemon.daemon import Daemon

__all__ = ["Daemon"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ser_stream.daemon import daemon

    return getattr(daemon, name)
