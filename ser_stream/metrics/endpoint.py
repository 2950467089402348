"""Where Prometheus reads: a server that is started, told of steps, and closed."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from ser_stream.errors import MissingLibraryError, SinkError
from ser_stream.metrics.checks import Check, with_checks
from ser_stream.metrics.health import BrokerLink, Health
from ser_stream.metrics.serve_figures import ServeFigures
from ser_stream.protocol.address import Address, bracketed, metrics_address

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import Histogram
    from prometheus_client.registry import Collector

_LOGGER = logging.getLogger(__name__)
LATENCY_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Upper bounds of the histogram's buckets, seconds; one more takes what is above."""
SERVE_LATENCY_BOUNDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Likewise of `serve`, which computes tick by tick, and lets audio wait."""
REQUEST_TIMEOUT = 5.0
"""Seconds for a request to come in; slower ones are dropped."""


class Metrics:
    def __init__(
        self, server: "WSGIServer", thread: threading.Thread, latency: "Histogram"
    ) -> None:
        self._server = server
        self._thread = thread
        self._latency = latency

    @classmethod
    def start(
        cls,
        address: str,
        healths: Mapping[str, Health],
        subscribers: Callable[[], Mapping[str, int]],
        dropped: Callable[[], int],
        links: Callable[[], Sequence[BrokerLink]] = list,
        *,
        by_source: bool = False,
        trusted: bool = False,
    ) -> Self:
        """Serve from now on.

        Args:
            address: HOST:PORT on this machine.
            healths: of each stream, by its name; the mapping may still grow.
            subscribers: how many there are now, by the kind of their address.
            dropped: messages that were dropped for slow subscribers since the start.
            links: how the connections to brokers are.
            by_source: whether there may be several streams: then what is of one has
                its name as the label `source`.
            trusted: whether others may reach it.

        Raises:
            ConfigError: if the address is none of this machine.
            SinkError: if it cannot be listened on.
            MissingLibraryError: if the extra is not installed.
        """

        def collector() -> "Collector":
            from ser_stream.metrics.collector import Collector

            return Collector(healths, subscribers, dropped, links, by_source=by_source)

        labels = ("source",) if by_source else ()
        place = metrics_address(address, trusted=trusted)
        return cls._open(place, collector, labels, LATENCY_BOUNDS_S, {})

    @classmethod
    def start_of_server(
        cls,
        address: str,
        figures: Callable[[], ServeFigures],
        checks: Mapping[str, Check],
        *,
        trusted: bool = False,
    ) -> Self:
        """The same of `ser-stream serve`.

        Args:
            address: HOST:PORT.
            figures: how it is now.
            checks: what is wrong, if anything is, by the path where it is asked.
            trusted: whether other machines may reach it.

        Raises:
            ConfigError: if others could reach the address, and may not.
            SinkError: if it cannot be listened on.
            MissingLibraryError: if the extra is not installed.
        """

        def collector() -> "Collector":
            from ser_stream.metrics.serve_collector import ServeCollector

            return ServeCollector(figures)

        place = metrics_address(address, trusted=trusted)
        return cls._open(place, collector, (), SERVE_LATENCY_BOUNDS_S, checks)

    @classmethod
    def _open(
        cls,
        place: Address,
        collector: "Callable[[], Collector]",
        labels: Sequence[str],
        bounds: Sequence[float],
        checks: Mapping[str, Check],
    ) -> Self:
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise MissingLibraryError(
                f"--metrics needs prometheus-client ({error}); "
                "pip install 'ser-stream[metrics]'"
            ) from error
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        registry.register(collector())
        latency = prometheus.Histogram(
            "ser_stream_step_latency_seconds",
            "From a step's last sample until its line is ready.",
            labelnames=labels,
            buckets=bounds,
            registry=registry,
        )
        # By its name, that could be ::1 alone.
        host = "127.0.0.1" if place.host == "localhost" else place.host
        try:
            server, thread = prometheus.start_http_server(place.port, host, registry)
        except OSError as error:
            raise SinkError(
                f"metrics cannot be served on {bracketed(place.host)}:{place.port}: "
                f"{error.strerror}; choose another port, or end what uses it"
            ) from None
        # A client that leaves, or says nothing, is no news.
        server.RequestHandlerClass.timeout = REQUEST_TIMEOUT  # type: ignore[attr-defined]
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if checks:
            figures = prometheus.make_wsgi_app(registry)
            server.set_app(with_checks(figures, checks))
        _LOGGER.info("figures at http://%s:%d/", bracketed(host), server.server_port)
        return cls(server, thread, latency)

    @property
    def port(self) -> int:
        """The port, also where the system chose it."""
        return self._server.server_port

    def observer(self, source: str = "") -> Callable[[float], None]:
        """What counts how long a step took, seconds from its last sample to its line.

        Args:
            source: the stream's name, of several; empty for the only one.
        """
        return (self._latency.labels(source) if source else self._latency).observe

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
