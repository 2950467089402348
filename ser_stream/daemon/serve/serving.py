"""`ser-stream serve` put together: model, sockets, computing thread, signals."""

import logging
import signal
from contextlib import ExitStack
from dataclasses import replace
from queue import SimpleQueue
from types import FrameType

from ser_stream.config import Settings
from ser_stream.config.for_model import configured_bundle, stream_config, tell_terms
from ser_stream.config.serve import INPUTS
from ser_stream.daemon.serve.reloading import Reloading
from ser_stream.daemon.serve.server import AudioServer
from ser_stream.daemon.serve.server_state import ServerState
from ser_stream.daemon.watchdog import Watchdog
from ser_stream.errors import ConfigError
from ser_stream.metrics import Metrics
from ser_stream.model import Model
from ser_stream.protocol.access_token import read_token
from ser_stream.protocol.address import parse
from ser_stream.service.systemd import Systemd
from ser_stream.sinks import Sink, SinkOptions, open_sinks

_LOGGER = logging.getLogger(__name__)


def serve(settings: Settings, systemd: Systemd) -> None:
    """Take audio until a signal comes.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    signals = SimpleQueue[int]()

    def note(number: int, _frame: FrameType | None) -> None:
        signals.put(number)

    # From the beginning: until it is obeyed, it would end us.
    signal.signal(signal.SIGHUP, note)
    config = settings.config
    addresses = [parse(uri, INPUTS) for uri in config.serve.listen]
    if not addresses and not systemd.sockets:
        raise ConfigError(
            "there is no address to listen on; name one: ser-stream serve --listen "
            "ws://127.0.0.1:8770"
        )
    server, sinks = _prepare(settings)
    state = ServerState(server, sinks, settings.file)
    server.senders.status = state.status
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    bundle = server.senders.model.bundle
    # Whoever reads the figures may see the end.
    with ExitStack() as figures, ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        stack.callback(server.close)
        _open_metrics(settings, server, state, figures)
        server.open(addresses, systemd.sockets)
        _LOGGER.info(
            "model %s; send audio to %s",
            bundle.name,
            ", ".join(map(str, server.addresses)),
        )
        tell_terms(bundle)
        watchdog = Watchdog(systemd.notifier, state.health, lambda _: state.text())
        watchdog.look()
        reloading = Reloading(settings, server, systemd.notifier)
        with watchdog:
            while signals.get() == signal.SIGHUP:
                reloading.reload(state.text())
    _LOGGER.info("%d streams were opened", server.senders.tally.opened)


def _prepare(settings: Settings) -> tuple[AudioServer, list[Sink]]:
    config = settings.config
    bundle = configured_bundle(settings)
    pipeline = settings.located(lambda config: stream_config(config, bundle))
    options = SinkOptions(
        broker=config.broker,
        password=lambda: settings.located(lambda c: c.broker.password()),
        token=lambda: settings.located(lambda c: read_token(c.token_file)),
        origins=config.allow_origin,
        trust_network=config.trust_network,
    )
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
    return server, sinks


def _open_metrics(
    settings: Settings, server: AudioServer, state: ServerState, stack: ExitStack
) -> None:
    config = settings.config
    if config.serve.metrics is None:
        return
    metrics = Metrics.start_of_server(
        config.serve.metrics,
        state.figures,
        {"/healthz": state.hung, "/readyz": state.not_ready},
        trusted=config.trust_network,
    )
    stack.callback(metrics.close)
    server.senders.observe = metrics.observer()
