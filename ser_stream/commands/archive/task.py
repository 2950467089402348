"""Recordings -> their rows: what a process is asked, and what it answers."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from ser_stream.commands.archive.rehearing import rehearable
from ser_stream.errors import SerStreamError, SourceError
from ser_stream.model import Model
from ser_stream.paths import is_pipe
from ser_stream.pipeline.batch.record import RECORDINGS_AT_ONCE
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.sources.channels import EACH
from ser_stream.sources.recorded import STDIN, Recorded, Wanted

Row = dict[str, Any]
"""What `recognize` prints of a recording, or of a channel of it."""

NO_FAULTS = (SerStreamError, ImportError)
"""Not of one recording; a signal while a library is loaded is an ImportError."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all recordings of a run have in common; it travels to other processes."""

    bundle: Path
    """Folder of the model."""
    config: PipelineConfig
    wanted: Wanted = field(default_factory=Wanted)
    segments: bool = False
    """Whether rows have the emotions in time."""

    @property
    def speakers(self) -> bool:
        """Whether rows say who speaks."""
        return self.config.most_speakers > 0


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
        return is_whole(self.rows)


def is_whole(rows: Sequence[Row]) -> bool:
    """Whether there are rows, and all of their recording was heard."""
    damaged = any(row.get("cut") or row.get("damaged") for row in rows)
    return bool(rows) and not damaged


def run(
    job: Job,
    names: Sequence[str],
    progress: Callable[[int, float], None] | None = None,
) -> Iterator[Result]:
    """Recognise recordings; what is wrong with one is in its result.

    A fault of ours that one of them meets is in its result, too, and the others go on:
    an archive may be a night's work.

    Args:
        job: what they have in common.
        names: of recordings; `-` is standard input.
        progress: told how many were read, and how much of the present one.

    Raises:
        ModelError: if the model cannot be used.
    """
    model = _model(job.bundle, job.config)
    done = 0
    for plain, group in groupby(names, lambda name: _is_plain(job, name)):
        among = list(group)
        found = _together if plain else _one_by_one
        tell = None if progress is None else _behind(done, progress)
        yield from found(job, model, among, tell)
        done += len(among)


def run_all(job: Job, names: Sequence[str]) -> list[Result]:
    """The same for another process, which answers once."""
    return list(run(job, names))


def _is_plain(job: Job, name: str) -> bool:
    """Whether it is a file of which one row is wanted, as most are."""
    return job.wanted.channel != EACH and name != STDIN and not is_pipe(Path(name))


def _behind(
    done: int, progress: Callable[[int, float], None]
) -> Callable[[int, float], None]:
    return lambda n, share: progress(done + n, share)


def _together(
    job: Job,
    model: Model,
    names: Sequence[str],
    progress: Callable[[int, float], None] | None,
) -> Iterator[Result]:
    done = 0
    while done < len(names):
        tell = None if progress is None else _behind(done, progress)
        for result in _until_fault(job, model, names[done:], tell):
            yield result
            done += 1
        # Among so many is the one that met a fault of ours; alone each tells.
        some = names[done : done + RECORDINGS_AT_ONCE]
        tell = None if progress is None else _behind(done, progress)
        yield from _one_by_one(job, model, some, tell)
        done += len(some)


def _until_fault(
    job: Job,
    model: Model,
    names: Sequence[str],
    progress: Callable[[int, float], None] | None,
) -> Iterator[Result]:
    """The results before one of those that were read together met a fault of ours."""
    found = model.recognize_each(names, wanted=job.wanted, progress=progress)
    for name in names:
        # Only while it works: whoever takes a result has a log of its own.
        with _Collected() as log:
            try:
                one = next(found)
            except NO_FAULTS:
                raise
            except Exception:  # noqa: BLE001  whatever it is: `_one_by_one` tells it
                return
        messages = tuple(log.messages)
        if isinstance(one, SourceError):
            yield Result(name, (), (*messages, (logging.ERROR, str(one))))
        else:
            row = {"file": name, **one.to_dict(job.segments)}
            yield Result(name, (row,), messages)


def _one_by_one(
    job: Job,
    model: Model,
    names: Sequence[str],
    progress: Callable[[int, float], None] | None,
) -> Iterator[Result]:
    for n, name in enumerate(names):
        tell = None if progress is None else partial(progress, n)
        with _Collected() as log:
            try:
                rows = tuple(_channels(job, model, name, tell))
            except SourceError as error:
                rows = ()
                log.messages.append((logging.ERROR, str(error)))
            except NO_FAULTS:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is: told
                rows = ()
                log.messages += _fault(name, error)
        yield Result(name, rows, tuple(log.messages))


def _fault(name: str, error: Exception) -> list[tuple[int, str]]:
    """What to say of a fault of ours: a line, and where it happened under `-v`."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    line = (
        f"{name} is left out, by a fault of ser-stream: {what}; please report it, with "
        "what ser-stream -v recognize says of this recording"
    )
    trace = "".join(traceback.format_exception(error)).rstrip()
    return [(logging.ERROR, line), (logging.DEBUG, trace)]


def _channels(
    job: Job, model: Model, name: str, progress: Callable[[float], None] | None
) -> Iterator[Row]:
    """A row, or one for each channel."""
    with rehearable(name) as path:
        called = "standard input" if name == STDIN else name
        wanted = replace(job.wanted, called=called)
        if wanted.channel != EACH:
            found = model.recognize(path, wanted=wanted, progress=progress)
            yield {"file": name, **found.to_dict(job.segments)}
            return
        with Recorded.open(path, replace(wanted, channel="1")) as file:
            n = file.channels
        for channel in range(1, n + 1):
            one = replace(wanted, channel=str(channel))
            found = model.recognize(path, wanted=one, progress=progress)
            yield {"file": name, "channel": channel, **found.to_dict(job.segments)}


@lru_cache(maxsize=1)
def _model(bundle: Path, config: PipelineConfig) -> Model:
    """Loaded once a process."""
    return Model(load_bundle(str(bundle)), config)


class _Collected(logging.Handler):
    """Takes what is logged of a recording: another process may have to tell it."""

    def __init__(self) -> None:
        super().__init__()
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
