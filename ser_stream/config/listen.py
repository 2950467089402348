"""What `ser-stream listen` or `serve` was asked to do, as the program uses it."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.config.serve import ServeConfig
from ser_stream.errors import ConfigError
from ser_stream.metrics import metrics_address
from ser_stream.paths import user_path
from ser_stream.pipeline.bundle import DEFAULT_MODEL
from ser_stream.pipeline.geometry import CPAC
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.vad import SpeechGateConfig
from ser_stream.pipeline.voices.clusters import FEWEST, MOST
from ser_stream.protocol.address import parse
from ser_stream.sinks import forms, is_server
from ser_stream.sinks.brokers.settings import BrokerSettings
from ser_stream.sources import InputConfig
from ser_stream.sources.channels import EACH
from ser_stream.sources.named import named_inputs

Format = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

STDOUT = "stdout:"
MOST_SUBSCRIBERS = 100_000
LONGEST_PAUSE_S = 86_400.0
"""Between two runs of a command, a day."""


@dataclass(frozen=True, slots=True)
class ListenConfig:
    source: InputConfig = field(default_factory=InputConfig)
    """How every input is read; of several, it names the first."""
    input: str | tuple[str, ...] = "mic"
    """As the user wrote it; `sources` has the names."""
    wait: bool | None = None
    """Wait for a microphone that is not there at the start; None: see `waits`."""
    model: str = DEFAULT_MODEL
    step_s: float | None = None
    """None: what the model brings."""
    window_s: float | None = None
    """None: the longest that the model was trained for."""
    gate: SpeechGateConfig = field(default_factory=SpeechGateConfig)
    smoothing: Mapping[str, float] | None = None
    """Only what differs from the thresholds in the bundle."""
    speakers: bool = True
    """Whether to begin with what was enrolled and taught."""
    tell_speakers: bool = False
    """Whether events say who speaks."""
    most_speakers: int = 4
    """How many are told apart at once."""
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    serve: ServeConfig = field(default_factory=ServeConfig)
    """Of `ser-stream serve`, which has no source and no outputs but those."""
    to: tuple[str, ...] = (STDOUT,)
    format: Format = "auto"
    """Form of standard output."""
    token_file: str | None = None
    allow_origin: tuple[str, ...] = ()
    """Web origins beside our own whose pages may open the WebSocket."""
    max_subscribers: int = 2000
    trust_network: bool = False
    """Whether other machines may reach `wyoming://` and the figures, which know no
    token."""
    on_emotion: str | None = None
    on_emotion_every_s: float = 1.0
    """Least time between two starts of it, seconds."""
    metrics: str | None = None
    """HOST:PORT where Prometheus may read."""
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    log_format: Format = "auto"
    log_level: LogLevel = "info"

    def __post_init__(self) -> None:
        _ = self.sources
        if self.adapt.enabled and self.several:
            raise ConfigError(
                "adapt is for one input, for a model is fitted to one microphone; run "
                "one daemon for each, every one with an address and an adapt.state of "
                "its own"
            )
        _choice("format", self.format, get_args(Format))
        _choice("log_format", self.log_format, get_args(Format))
        _choice("log_level", self.log_level, get_args(LogLevel))
        # The model's thresholds are not known here, so what is set is only compared
        # with what is set.
        loosest = {"enter": 1.0, "exit": 0.0}
        smoothing = SmoothingConfig(**{**loosest, **(self.smoothing or {})})
        step_s = PipelineConfig().step_s if self.step_s is None else self.step_s
        pipeline = PipelineConfig(step_s, self.window_s, self.gate, smoothing)
        if self.model == DEFAULT_MODEL:
            pipeline.columns(CPAC)  # any other model has its say in `pipeline_config`
        if not self.to:
            raise ConfigError("to is empty; it names at least one output, as stdout:")
        if len({parse(address, forms()) for address in self.to}) < len(self.to):
            raise ConfigError(f"to names an address twice: {' '.join(self.to)}")
        for name, address in (
            ("metrics", self.metrics),
            ("serve.metrics", self.serve.metrics),
        ):
            if address is not None:
                metrics_address(address, trusted=self.trust_network, name=name)
        for origin in self.allow_origin:
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s]+", origin):
                raise ConfigError(
                    f"allow_origin has {origin!r}; allowed: scheme://host or "
                    "scheme://host:port without anything behind, as "
                    "https://example.org"
                )
        if not FEWEST <= self.most_speakers <= MOST:
            raise ConfigError(
                f"most_speakers is {self.most_speakers}; allowed: {FEWEST} to {MOST}"
            )
        if not 1 <= self.max_subscribers <= MOST_SUBSCRIBERS:
            raise ConfigError(
                f"max_subscribers is {self.max_subscribers}; allowed: 1 to "
                f"{MOST_SUBSCRIBERS}"
            )
        if not 0 <= self.on_emotion_every_s <= LONGEST_PAUSE_S:
            raise ConfigError(
                f"on_emotion_every_s is {self.on_emotion_every_s:g}; allowed: 0 to "
                f"{LONGEST_PAUSE_S:g} s"
            )
        _ = self.command

    @property
    def command(self) -> tuple[str, ...] | None:
        """`on_emotion` in its words, as a shell would split it; no shell runs it.

        Only `~` at its very beginning stands for the home folder.
        """
        if self.on_emotion is None:
            return None
        try:
            words = tuple(shlex.split(self.on_emotion))
        except ValueError as error:
            raise ConfigError(
                f"on_emotion is {self.on_emotion!r}: {str(error).lower()}"
            ) from None
        if not words or "\0" in self.on_emotion:
            raise ConfigError(f"on_emotion is {self.on_emotion!r}, which is no command")
        return (str(user_path(words[0])), *words[1:])

    @property
    def sources(self) -> Mapping[str, InputConfig]:
        """How each input is read, by its name."""
        texts = (self.input,) if isinstance(self.input, str) else self.input
        return {
            name: replace(self.source, input=source)
            for name, source in named_inputs(texts).items()
        }

    @property
    def several(self) -> bool:
        """Whether there may be several streams, each told under its name."""
        return self.source.channel == EACH or not isinstance(self.input, str)

    @property
    def paced(self) -> bool:
        """Whether any audio comes by the clock."""
        return any(source.paced for source in self.sources.values())

    @property
    def serves(self) -> bool:
        """Whether an output is a socket that programs can connect to."""
        return any(is_server(parse(address, forms()).kind) for address in self.to)

    def waits(self, *, service: bool) -> bool:
        """Whether a microphone that is absent at the start is waited for.

        If nothing was said, by a service, which should come up before its microphone
        is plugged in; at a terminal an error is more use.

        Args:
            service: whether systemd started us, or programs can subscribe, be it at a
                broker.
        """
        return service if self.wait is None else self.wait


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
