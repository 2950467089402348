"""`ser-stream serve` put together: model, sockets, computing thread, signals."""

import logging
import signal
import threading
from dataclasses import replace
from types import FrameType

from ser_stream.config import Settings
from ser_stream.config.for_model import configured_bundle, stream_config, tell_terms
from ser_stream.config.serve import INPUTS
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.errors import ConfigError
from ser_stream.model import Model
from ser_stream.protocol.access_token import read_token
from ser_stream.protocol.address import parse
from ser_stream.service.systemd import Systemd
from ser_stream.sinks import SinkOptions, open_sinks

_LOGGER = logging.getLogger(__name__)


def serve(settings: Settings, systemd: Systemd) -> None:
    """Take audio until a signal comes.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    config = settings.config
    addresses = [parse(uri, INPUTS) for uri in config.serve.listen]
    if not addresses and not systemd.sockets:
        raise ConfigError(
            "there is no address to listen on; name one: ser-stream serve --listen "
            "ws://127.0.0.1:8770"
        )
    bundle = configured_bundle(settings)
    pipeline = settings.located(lambda config: stream_config(config, bundle))
    options = SinkOptions(
        broker=config.broker,
        password=lambda: settings.located(lambda c: c.broker.password()),
        token=lambda: settings.located(lambda c: read_token(c.token_file)),
        origins=config.allow_origin,
        trust_network=config.trust_network,
    )
    over = threading.Event()
    outputs = SinkOptions(
        format=config.format,
        # Whoever sends comes and goes: no device of a house.
        broker=replace(config.broker, discovery=False),
        password=lambda: settings.located(lambda c: c.broker.password()),
        # Clients are told all the same.
        alone=False,
    )
    sinks = open_sinks(config.serve.to, outputs)
    server = AudioServer(Model(bundle, pipeline), config.serve, options, sinks)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        server.open(addresses, systemd.sockets)
        _LOGGER.info(
            "model %s; send audio to %s",
            bundle.name,
            ", ".join(map(str, server.addresses)),
        )
        tell_terms(bundle)
        systemd.notifier.ready(f"taking audio with model {bundle.name}")
        over.wait()
        systemd.notifier.stopping()
    finally:
        server.close()
        for sink in sinks:
            sink.close()
    _LOGGER.info("%d streams were opened", server.senders.opened)
