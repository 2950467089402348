"""`ser-stream listen`: put the parts together, and end in order."""

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
    with Daemon(settings, Systemd.from_environment()) as daemon:
        return daemon.run()
