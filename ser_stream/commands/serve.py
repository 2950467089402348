"""`ser-stream serve`: take audio over the network until a signal comes."""

from ser_stream.config import Settings
from ser_stream.daemon.serve.serving import serve as run
from ser_stream.service.systemd import Systemd


def serve(settings: Settings) -> None:
    """Run until a signal comes.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    run(settings, Systemd.from_environment())
