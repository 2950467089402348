"""Figures for Prometheus, over HTTP: `--metrics HOST:PORT`.

health           counters and the present state, which `status` and systemd take as well
collector        these in the words of Prometheus
serve_figures    the same of `ser-stream serve`; serve_collector: in those words
endpoint         the HTTP server
checks           paths that tell whether all is well

The library, in the extra `metrics`, and the HTTP server are imported when asked for.
"""

from ser_stream.metrics.endpoint import Metrics
from ser_stream.protocol.address import metrics_address

__all__ = ["Metrics", "metrics_address"]
