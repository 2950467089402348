"""Figures for Prometheus, over HTTP and for this machine only: `--metrics HOST:PORT`.

The library, in the extra `metrics`, and the HTTP server are imported when asked for.
"""

from ser_stream.metrics.endpoint import Metrics, metrics_address

__all__ = ["Metrics", "metrics_address"]
