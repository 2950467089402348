"""The state of `ser-stream serve` in the words of Prometheus."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
)

from ser_stream.metrics.collector import (
    broker_families,
    build_info,
    heard_figures,
    model_info,
)
from ser_stream.metrics.serve_figures import ServeFigures


class ServeCollector:
    """Asks for the figures at every scrape; nothing is kept twice."""

    def __init__(self, figures: Callable[[], ServeFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        now = self._figures()
        yield _gauges("streams", "Streams that are open.", "kind", now.streams)
        yield _gauges(
            "clients",
            "Clients that are connected, also those without a stream.",
            "kind",
            now.clients,
        )
        yield GaugeMetricFamily(
            "ser_stream_max_streams", "As many are taken.", value=now.max_streams
        )
        yield GaugeMetricFamily(
            "ser_stream_late_streams",
            "Live streams that are over a second behind: the machine is too slow.",
            value=now.late,
        )
        yield CounterMetricFamily(
            "ser_stream_streams_opened", "Streams that were opened.", value=now.opened
        )
        yield _counters(
            "streams_refused", "Clients that were told no.", "code", now.refused
        )
        yield _counters(
            "streams_ended", "Streams that have ended.", "reason", now.ended
        )
        heard = heard_figures(now.heard)
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"ser_stream_{name}", text, value=heard[name])
        yield CounterMetricFamily(
            "ser_stream_dropped_messages",
            "Predictions dropped because a client was too slow.",
            value=now.dropped,
        )
        yield _counters(
            "compute_seconds",
            "Time of the computing thread, which is one core at most.",
            "pace",
            now.compute_s,
        )
        yield from broker_families(now.links, now.inputs)
        yield model_info(now.model, now.model_sha256, adapted=now.adapted)
        yield build_info()


# No step is skipped: what comes too fast for the machine waits.
_COUNTERS = {
    "steps": "Predictions made, of all streams.",
    "emotions": "Emotions begun.",
    "overflows": "How often samples were missing in what came, or no numbers.",
    "gaps": "Jumps of the audio clocks, whatever their reason.",
    "lost_audio_seconds": "Audio that those jumps left out.",
    "audio_seconds": "Audio of all streams, with what was lost.",
}


def _gauges(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"ser_stream_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"ser_stream_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
