"""`ser-stream listen`: put the parts together, and end in order."""

from ser_stream.config import Settings
from ser_stream.daemon.daemon import Daemon
from ser_stream.service.systemd import Systemd


def listen(settings: Settings) -> None:
    """Hear until the input ends, a signal comes, or nobody reads any more.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    with Daemon(settings, Systemd.from_environment()) as daemon:
        daemon.run()
