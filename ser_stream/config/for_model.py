"""What the user set, with the thresholds that the model brings."""

import logging
from dataclasses import replace

from ser_stream.adaptation.pack import Pack, find_pack, load_pack
from ser_stream.config.layers import DEFAULT, Settings
from ser_stream.config.listen import ListenConfig
from ser_stream.errors import ConfigError, ModelError
from ser_stream.paths import user_path
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.values import SAMPLE_RATE

_LOGGER = logging.getLogger(__name__)


def configured_bundle(settings: Settings) -> Bundle:
    """The model that the settings name.

    Raises:
        ModelError: if it cannot be loaded; with where it is named, unless by a flag.
    """
    try:
        return load_bundle(settings.config.model)
    except ModelError as error:
        origin = settings["model"].origin
        if origin == DEFAULT or origin.startswith("--"):
            raise
        raise ModelError(f"{origin}: {error}") from None


def tell_terms(bundle: Bundle) -> None:
    """Say in the log what a model may not be used for, when its use begins."""
    if bundle.restriction:
        _LOGGER.warning("model %s is %s", bundle.name, bundle.restriction)


def tell_step(config: ListenConfig, bundle: Bundle) -> None:
    """Say that of a recording no step is longer than the model's own."""
    if config.step_s is not None and config.step_s > bundle.step_s:
        _LOGGER.warning(
            "step %g s is for streams; recordings are heard at the %g s of model %s, "
            "as a short one might end before its second step",
            config.step_s,
            bundle.step_s,
            bundle.name,
        )


def configured_pack(config: ListenConfig, bundle: Bundle) -> Pack:
    """The adaptation pack that belongs to the model.

    Raises:
        ModelError: if there is none, or it is damaged or another model's.
    """
    given = config.adapt.pack
    folder = find_pack(bundle, None if given is None else user_path(given))
    return load_pack(folder, bundle)


def pipeline_config(config: ListenConfig, bundle: Bundle) -> PipelineConfig:
    """The bundle's step and thresholds, changed by what the user set.

    Raises:
        ConfigError: if the model was trained for no window so short or so long.
    """
    thresholds = {
        name: getattr(bundle.thresholds, name) for name in SmoothingConfig.__slots__
    }
    result = PipelineConfig(
        step_s=bundle.step_s if config.step_s is None else config.step_s,
        window_s=config.window_s,
        gate=config.gate,
        smoothing=SmoothingConfig(**{**thresholds, **(config.smoothing or {})}),
    )
    try:
        result.columns(bundle.geometry)
    except ConfigError:
        longest_s = bundle.geometry.window_length(bundle.max_columns) / SAMPLE_RATE
        if config.window_s is None or config.window_s < longest_s:
            raise
        raise ConfigError(
            f"window is {config.window_s:g} s, but model {bundle.name} was trained on "
            f"windows of at most {longest_s:g} s"
        ) from None
    return result


def stream_config(config: ListenConfig, bundle: Bundle) -> PipelineConfig:
    """As `pipeline_config`, and for a stream: one says who speaks, if that is set.

    Raises:
        ConfigError: as `pipeline_config`.
    """
    most = config.most_speakers if config.tell_speakers else 0
    return replace(pipeline_config(config, bundle), most_speakers=most)
