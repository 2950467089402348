"""What `control` may ask for: each command is one row of `COMMANDS`.

The server, the client, the command line and the protocol's schema take it from here.
What carries a command out is named in `daemon.control`, or in `adaptation.requests`
where it needs a daemon that adapts. All of them are taken on a Unix socket alone: the
permissions of its file decide who may.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Command(NamedTuple):
    name: str
    """As it stands in `do`."""
    help: str = ""
    """Of the command line; a command without one has no place of its own there."""
    timeout_s: float = 60.0
    """Seconds that a client waits for the answer; a device or a model may be opened."""
    fields: Mapping[str, type] = {}
    """What else a request has to say, `str` or `float`."""
    optional: Mapping[str, type] = {}
    """What it may say."""

    @property
    def adapts(self) -> bool:
        """Whether the daemon has to adapt."""
        return self.name.startswith("adapt.")

    @property
    def word(self) -> str:
        """What follows `ser-stream`, or `ser-stream adapt`."""
        return self.name.removeprefix("adapt.")


_OF_ONE = {"source": str}
"""Of a daemon that hears several: which."""
_ROWS = (
    Command(
        "status",
        """Tell how the running daemon is: device, model, steps, losses, subscribers.

        Examples:
          ser-stream status

          ser-stream status --json | jq .latency_ms

          ser-stream status --socket tcp://127.0.0.1:8771   # of ser-stream serve
        """,
        timeout_s=10.0,
        optional=_OF_ONE,
    ),
    Command(
        "pause",
        "Have the daemon release the microphone, until `resume`, over restarts too.",
        optional=_OF_ONE,
    ),
    Command("resume", "Have the daemon take the microphone again.", optional=_OF_ONE),
    Command(
        "reload",
        """Have the daemon read its configuration again, and load the model it names.

        What is changed takes effect between two steps, and no sound is lost. A
        configuration or a model that is bad is refused, and everything stays as it
        was. SIGHUP does the same, without an answer.
        """,
    ),
    Command("speakers.status"),
    Command("speakers.read"),
    Command("speakers.enroll", fields={"name": str, "last_s": float}, optional=_OF_ONE),
    Command("speakers.teach", fields={"label": str, "last_s": float}, optional=_OF_ONE),
    Command("speakers.forget_all"),
    Command("speakers.live", optional=_OF_ONE),
    Command("speakers.name", fields={"speaker": str, "name": str}, optional=_OF_ONE),
    Command("speakers.merge", fields={"speaker": str, "other": str}, optional=_OF_ONE),
    Command("speakers.forget", fields={"speaker": str}, optional=_OF_ONE),
    Command("speakers.keep", fields={"speaker": str}, optional=_OF_ONE),
    Command(
        "adapt.status",
        """Show how far it is: the active version, seconds of speech, last verdict.

        Where no daemon answers, what it has left on disk.

        Examples:
          ser-stream listen --adapt --to unix:///tmp/moods.sock

          ser-stream adapt status --socket /tmp/moods.sock
        """,
    ),
    Command(
        "adapt.history",
        """Show every verdict and why, oldest first; --json adds the figures behind each.

        Where no daemon answers, what it has left on disk.
        """,  # noqa: E501  one line of the help
    ),
    Command(
        "adapt.now",
        """Begin a round with the speech so far, however little of it is new.

        Examples:
          ser-stream adapt now --wait
        """,
    ),
    Command(
        "adapt.freeze",
        """Keep the active version: no more rounds, over restarts too.

        It is still watched, and rolled back if it does badly. Without a daemon, the
        next one that starts finds it so.
        """,
    ),
    Command("adapt.unfreeze"),
    Command(
        "adapt.rollback",
        """Go back to the version before the active one, or to the model as it came.

        Without a daemon, the next one that starts does.
        """,
    ),
    Command(
        "adapt.reset",
        """Go back to the model as it came; erase all versions and stored windows.

        With or without a daemon.
        """,
    ),
)
COMMANDS = {command.name: command for command in _ROWS}
"""By their names, in the order of the command line's help."""
