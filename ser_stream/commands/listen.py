"""`ser-stream listen`: put the parts together, and end in order."""

import signal
import sys
from types import FrameType

from ser_stream.bundle import Bundle, load_bundle
from ser_stream.config import ListenConfig
from ser_stream.daemon import Worker
from ser_stream.errors import ConfigError, SinkError
from ser_stream.pipeline import PipelineConfig
from ser_stream.sinks.stdout import Renderer, StdoutSink, json_line
from ser_stream.sinks.text import TextRenderer
from ser_stream.smoothing import SmoothingConfig
from ser_stream.sources import open_source
from ser_stream.values import SAMPLE_RATE
from ser_stream.window import window_length


def pipeline_config(config: ListenConfig, bundle: Bundle) -> PipelineConfig:
    """The bundle's thresholds, changed by what the user set.

    Raises:
        ConfigError: if the window is longer than the model was trained for.
    """
    thresholds = {
        name: getattr(bundle.thresholds, name) for name in SmoothingConfig.__slots__
    }
    result = PipelineConfig(
        step_s=config.step_s,
        window_s=config.window_s,
        gate=config.gate,
        smoothing=SmoothingConfig(**{**thresholds, **(config.smoothing or {})}),
    )
    if result.max_columns > bundle.max_columns:
        longest_s = window_length(bundle.max_columns) / SAMPLE_RATE
        raise ConfigError(
            f"window is {config.window_s:g} s, but model {bundle.name} was trained on "
            f"windows of at most {longest_s:g} s"
        )
    return result


def listen(config: ListenConfig) -> None:
    """Hear until the input ends, a signal comes, or nobody reads any more.

    Raises:
        SerStreamError: for everything that the user can mend.
    """
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    bundle = load_bundle(config.model)
    settings = pipeline_config(config, bundle)
    with open_source(config.source) as source:
        # Audio that comes by the clock must not wait for whoever reads.
        sink = StdoutSink(_renderer(config.format), live=config.source.paced)
        worker = Worker(source, bundle, settings, [sink])

        def stop(_signal: int, _frame: FrameType | None) -> None:
            worker.stop()
            sink.hurry()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        try:
            worker.run()
        finally:
            sink.close()
        if sink.error is not None:
            raise SinkError(f"standard output: {sink.error.strerror}")


def _renderer(format: str) -> Renderer:
    terminal = sys.stdout.isatty()
    if format == "text" or (format == "auto" and terminal):
        return TextRenderer(live=terminal)
    return json_line
