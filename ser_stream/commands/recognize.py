"""`ser-stream recognize`: whole files through the same pipeline, a line a file."""

import logging
from collections.abc import Sequence
from pathlib import Path

from ser_stream.commands.progress import clear_bar, progress_bar
from ser_stream.commands.rows import FORMATS
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import pipeline_config, tell_terms
from ser_stream.errors import SourceError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle

_LOGGER = logging.getLogger(__name__)


def recognize(
    files: Sequence[Path], config: ListenConfig, format: str, segments: bool
) -> int:
    """Print a line for each file; return how many could not be read."""
    bundle = load_bundle(config.model)
    tell_terms(bundle)
    model = Model(bundle, pipeline_config(config, bundle))
    write_row = FORMATS[format](model.labels, segments)
    failed = 0
    with progress_bar(files) as bar:
        for path, result in zip(bar, model.recognize_each(files), strict=True):
            clear_bar()
            if isinstance(result, SourceError):
                failed += 1
                _LOGGER.error("%s", result)
            else:
                write_row({"file": str(path), **result.to_dict(segments)})
    return failed
