"""Where Prometheus reads: a server that is started, told of steps, and closed."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

from ser_stream.errors import MissingLibraryError, SinkError
from ser_stream.metrics.health import Health
from ser_stream.metrics.histogram import LatencyHistogram
from ser_stream.protocol.address import metrics_address

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer


class Metrics:
    """The HTTP server with the figures, in threads of its own."""

    def __init__(self, server: "WSGIServer", latency: LatencyHistogram) -> None:
        self._server = server
        self._latency = latency
        self._thread = threading.Thread(
            target=server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    @classmethod
    def start(
        cls,
        address: str,
        health: Health,
        subscribers: Callable[[], Mapping[str, int]],
        dropped: Callable[[], int],
    ) -> Self:
        """Serve from now on.

        Args:
            address: HOST:PORT on this machine.
            health: of the daemon.
            subscribers: how many there are now, by the kind of their address.
            dropped: messages that were dropped for slow subscribers since the start.

        Raises:
            ConfigError: if the address is none of this machine.
            SinkError: if it cannot be listened on.
            MissingLibraryError: if the extra is not installed.
        """
        place = metrics_address(address)
        try:
            from prometheus_client import (
                CollectorRegistry,
                ProcessCollector,
                make_wsgi_app,
            )
        except ImportError as error:
            raise MissingLibraryError(
                f"--metrics needs prometheus-client ({error}); "
                "pip install 'ser-stream[metrics]'"
            ) from error
        from ser_stream.metrics.collector import Collector
        from ser_stream.metrics.server import open_server

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        latency = LatencyHistogram()
        registry.register(Collector(health, latency, subscribers, dropped))
        try:
            server = open_server(place, make_wsgi_app(registry))
        except OSError as error:
            raise SinkError(
                f"metrics cannot be served on {address}: {error.strerror}; choose "
                "another port, or end what uses it"
            ) from None
        return cls(server, latency)

    @property
    def port(self) -> int:
        """The port, also where the system chose it."""
        return self._server.server_port

    def observe(self, latency_s: float) -> None:
        """Count how long a step took, from its last sample to its line."""
        self._latency.observe(latency_s)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
