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
        healths: Mapping[str, Health],
        subscribers: Callable[[], Mapping[str, int]],
        dropped: Callable[[], int],
        links: Callable[[], Sequence[BrokerLink]],
        *,
        by_source: bool = False,
    ) -> None:
        self._healths = healths
        self._labels = ["source"] if by_source else []
        self._subscribers = subscribers
        self._dropped = dropped
        self._links = links

    def collect(self) -> Iterator[Metric]:
        healths = list(self._healths.items())
        of_each = {name: heard_figures(health) for name, health in healths}
        for name, text in _COUNTERS.items():
            family = CounterMetricFamily(
                f"ser_stream_{name}", text, labels=self._labels
            )
            for source, figures in of_each.items():
                family.add_metric(self._of(source), figures[name])
            yield family
        yield CounterMetricFamily(
            "ser_stream_dropped_messages",
            "Messages dropped because a subscriber was too slow.",
            value=self._dropped(),
        )
        subscribers = GaugeMetricFamily(
            "ser_stream_subscribers", "Subscribers now.", labels=["kind"]
        )
        for kind, count in self._subscribers().items():
            subscribers.add_metric([kind], count)
        yield subscribers
        yield from broker_families(self._links(), {})
        state = GaugeMetricFamily(
            "ser_stream_audio_state",
            "1 for the state of the audio.",
            labels=[*self._labels, "state"],
        )
        for source, health in list(self._healths.items()):
            for name in AudioState:
                now = float(name is health.audio)
                state.add_metric([*self._of(source), name.value], now)
        yield state
        yield from self._of_the_model()
        yield build_info()

    def _of(self, source: str) -> list[str]:
        """Values of the labels that name a source."""
        return [source] if self._labels else []

    def _of_the_model(self) -> Iterator[Metric]:
        """Of that which all streams share."""
        health = next(iter(self._healths.values()), Health())
        adaptations = CounterMetricFamily(
            "ser_stream_adaptations",
            "Phases of online adaptation.",
            labels=["phase"],
        )
        for phase, count in health.adaptations.items():
            adaptations.add_metric([phase], count)
        yield adaptations
        yield model_info(health.model, health.model_sha256, adapted=health.adapted)


_COUNTERS = {
    "steps": "Predictions made.",
    "emotions": "Emotions begun.",
    "skipped_steps": "Steps left out because the machine was too slow.",
    "overflows": "How often samples were lost while the device was there.",
    "gaps": "Jumps of the audio clock, whatever their reason.",
    "lost_audio_seconds": "Audio that those jumps left out.",
    "audio_seconds": "Audio since the stream began, with what was lost.",
}


def heard_figures(health: Health) -> dict[str, float]:
    """What was counted of a stream, by the name of the figure."""
    return {
        "steps": health.steps,
        "emotions": health.emotions,
        "skipped_steps": health.skipped,
        "overflows": health.overflows,
        "gaps": health.gaps,
        "lost_audio_seconds": health.lost_samples / SAMPLE_RATE,
        "audio_seconds": health.end / SAMPLE_RATE,
    }


def broker_families(
    links: Sequence[BrokerLink], inputs: Mapping[str, bool]
) -> Iterator[Metric]:
    """Of brokers.

    Args:
        links: to those that events go to.
        inputs: whether those are connected that audio comes by, by address.
    """
    labels = ["address"]
    connected = GaugeMetricFamily(
        "ser_stream_broker_connected", "1 while connected.", labels=labels
    )
    sent = CounterMetricFamily(
        "ser_stream_broker_sent", "Events that a broker took.", labels=labels
    )
    dropped = CounterMetricFamily(
        "ser_stream_broker_dropped",
        "Events dropped because a broker was away or too slow.",
        labels=labels,
    )
    there = {link.address: link.connected for link in links} | dict(inputs)
    for address, now in there.items():
        connected.add_metric([address], float(now))
    for link in links:
        sent.add_metric([link.address], link.sent)
        dropped.add_metric([link.address], link.dropped)
    yield from (connected, sent, dropped)


def model_info(name: str, sha256: str, *, adapted: bool) -> Metric:
    """The model in use."""
    return InfoMetricFamily(
        "ser_stream_model",
        "The model in use.",
        value={"name": name, "sha256": sha256, "adapted": str(adapted).lower()},
    )


def build_info() -> Metric:
    return InfoMetricFamily(
        "ser_stream_build", "This program.", value={"version": __version__}
    )
