"""The configuration, and the model that it names."""

from collections.abc import Iterator
from pathlib import Path

from ser_stream.config import ListenConfig, Settings, default_path, resolve
from ser_stream.config.for_model import configured_pack, pipeline_config
from ser_stream.doctor.finding import Finding, fail, mend, ok
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer


def read(file: Path | None) -> tuple[Settings | None, Finding]:
    """The settings that `listen` would start with, if they can be read."""
    try:
        settings = resolve(file, {})
    except ConfigError as error:
        return None, fail(
            "configuration", str(error), "correct that, then: ser-stream config show"
        )
    if settings.file is None:
        text = f"there is no file, {default_path()}; what is built in holds"
    else:
        text = f"{settings.file} is in order"
    return settings, ok("configuration", text)


def check_model(settings: Settings) -> Iterator[Finding]:
    try:
        bundle = load_bundle(settings.config.model)
        OnnxRecognizer(bundle)
        settings.located(lambda config: pipeline_config(config, bundle))
    except ConfigError as error:
        yield fail("configuration", str(error), "correct that setting")
    except SerStreamError as error:
        yield mend("model", error, "ser-stream model list; ser-stream model use open")
    else:
        yield ok(
            "model",
            f"{bundle.name} is whole; {', '.join(bundle.labels)}; {bundle.licence}",
        )
        if settings.config.adapt.enabled:
            yield _pack(settings.config, bundle)


def _pack(config: ListenConfig, bundle: Bundle) -> Finding:
    try:
        pack = configured_pack(config, bundle)
    except SerStreamError as error:
        return mend(
            "adaptation pack", error, "correct adapt.pack, or: listen --no-adapt"
        )
    return ok("adaptation pack", f"{pack.folder} is whole")
