"""One recording -> its rows: what a process is asked, and what it answers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ser_stream.commands.archive.rehearing import rehearable
from ser_stream.errors import SourceError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.sources.channels import EACH
from ser_stream.sources.recorded import STDIN, Recorded, Wanted

_LOGGER = logging.getLogger(__name__)
Row = dict[str, Any]
"""What `recognize` prints of a recording, or of a channel of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all recordings of a run have in common; it travels to other processes."""

    bundle: Path
    """Folder of the model."""
    config: PipelineConfig
    wanted: Wanted = field(default_factory=Wanted)
    segments: bool = False
    """Whether rows have the emotions in time."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a recording."""

    name: str
    rows: tuple[Row, ...] = ()
    """One a channel; none if nothing could be heard."""
    messages: tuple[tuple[int, str], ...] = ()
    """What there is to say of it: level of the log, and text."""

    @property
    def whole(self) -> bool:
        """Whether all of it was heard."""
        damaged = any(row.get("cut") or row.get("damaged") for row in self.rows)
        return bool(self.rows) and not damaged


def run(job: Job, name: str, progress: Callable[[float], None] | None = None) -> Result:
    """Recognise one recording; what is wrong with it is in the result."""
    model = _model(job.bundle, job.config)
    with _Collected() as log:
        try:
            rows = _rows(job, model, name, progress)
        except SourceError as error:
            return Result(name, (), (*log.messages, (logging.ERROR, str(error))))
        return Result(name, tuple(rows), tuple(log.messages))


def _rows(
    job: Job, model: Model, name: str, progress: Callable[[float], None] | None
) -> list[Row]:
    with rehearable(name) as path:
        called = "standard input" if name == STDIN else name
        job = replace(job, wanted=replace(job.wanted, called=called))
        if job.wanted.channel != EACH:
            found = model.recognize(path, wanted=job.wanted, progress=progress)
            return [{"file": name, **found.to_dict(job.segments)}]
        with Recorded.open(path, replace(job.wanted, channel="1")) as file:
            n = file.channels
        rows = []
        for channel in range(1, n + 1):
            wanted = replace(job.wanted, channel=str(channel))
            found = model.recognize(path, wanted=wanted, progress=progress)
            row = {"file": name, "channel": channel, **found.to_dict(job.segments)}
            rows.append(row)
        return rows


@lru_cache(maxsize=1)
def _model(bundle: Path, config: PipelineConfig) -> Model:
    """Loaded once a process."""
    return Model(load_bundle(str(bundle)), config)


class _Collected(logging.Handler):
    """Takes what is logged of a recording: another process may have to tell it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[tuple[int, str]] = []
        self._logger = logging.getLogger("ser_stream")

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append((record.levelno, record.getMessage()))

    def __enter__(self) -> "_Collected":
        self._logger.addHandler(self)
        self._propagated, self._logger.propagate = self._logger.propagate, False
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated
