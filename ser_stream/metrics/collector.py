"""The state of the daemon in the words of Prometheus."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)

from ser_stream import __version__
from ser_stream.metrics.health import BrokerLink, Health
from ser_stream.pipeline.values import SAMPLE_RATE, AudioState


class Collector:
    """Reads the state at every scrape; nothing is kept twice."""

    def __init__(
        self,
        health: Health,
        subscribers: Callable[[], Mapping[str, int]],
        dropped: Callable[[], int],
        links: Callable[[], Sequence[BrokerLink]],
    ) -> None:
        self._health = health
        self._subscribers = subscribers
        self._dropped = dropped
        self._links = links

    def collect(self) -> Iterator[Metric]:
        health = self._health
        counters = {
            "steps": ("Predictions made.", health.steps),
            "emotions": ("Emotions begun.", health.emotions),
            "skipped_steps": (
                "Steps left out because the machine was too slow.",
                health.skipped,
            ),
            "dropped_messages": (
                "Messages dropped because a subscriber was too slow.",
                self._dropped(),
            ),
            "overflows": (
                "How often samples were lost while the device was there.",
                health.overflows,
            ),
            "gaps": ("Jumps of the audio clock, whatever their reason.", health.gaps),
            "lost_audio_seconds": (
                "Audio that those jumps left out.",
                health.lost_samples / SAMPLE_RATE,
            ),
            "audio_seconds": (
                "Audio since the stream began, with what was lost.",
                health.end / SAMPLE_RATE,
            ),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"ser_stream_{name}", text, value=value)
        subscribers = GaugeMetricFamily(
            "ser_stream_subscribers", "Subscribers now.", labels=["kind"]
        )
        for kind, count in self._subscribers().items():
            subscribers.add_metric([kind], count)
        yield subscribers
        yield from self._brokers()
        state = GaugeMetricFamily(
            "ser_stream_audio_state", "1 for the state of the audio.", labels=["state"]
        )
        for name in AudioState:
            state.add_metric([name.value], float(name is health.audio))
        yield state
        adaptations = CounterMetricFamily(
            "ser_stream_adaptations",
            "Phases of online adaptation.",
            labels=["phase"],
        )
        for phase, count in health.adaptations.items():
            adaptations.add_metric([phase], count)
        yield adaptations
        yield InfoMetricFamily(
            "ser_stream_model",
            "The model in use.",
            value={
                "name": health.model,
                "sha256": health.model_sha256,
                "adapted": str(health.adapted).lower(),
            },
        )
        yield InfoMetricFamily(
            "ser_stream_build", "This program.", value={"version": __version__}
        )

    def _brokers(self) -> Iterator[Metric]:
        labels = ["address"]
        connected = GaugeMetricFamily(
            "ser_stream_broker_connected", "1 while connected.", labels=labels
        )
        sent = CounterMetricFamily(
            "ser_stream_broker_sent", "Messages that a broker took.", labels=labels
        )
        dropped = CounterMetricFamily(
            "ser_stream_broker_dropped",
            "Messages dropped because a broker was away or too slow.",
            labels=labels,
        )
        for link in self._links():
            connected.add_metric([link.address], float(link.connected))
            sent.add_metric([link.address], link.sent)
            dropped.add_metric([link.address], link.dropped)
        yield from (connected, sent, dropped)
