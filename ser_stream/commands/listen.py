"""`ser-stream listen`: put the parts together, and end in order."""

import os

from ser_stream.commands.what_else import say_what_else
from ser_stream.config import Settings
from ser_stream.daemon import Daemon
from ser_stream.service.systemd import Systemd


def listen(settings: Settings) -> bool:
    """Run until the input ends, a signal comes, or the reader leaves.

    Returns:
        Whether all of the input was heard.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    # A desktop's terminals have systemd's other variables too.
    service = "NOTIFY_SOCKET" in os.environ
    with Daemon(settings, Systemd.from_environment()) as daemon:
        whole = daemon.run()
    if not service:
        say_what_else(settings.config.to)
    return whole
