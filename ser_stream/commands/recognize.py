"""`ser-stream recognize`: whole recordings through the same pipeline, a row a file."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ser_stream.commands.archive.clusters import ENGINES
from ser_stream.commands.archive.inputs import Inputs, recordings, size_of
from ser_stream.commands.archive.output import ONE_FILE, check_format, open_output
from ser_stream.commands.archive.task import Job, Result
from ser_stream.commands.archive.task import run as run_tasks
from ser_stream.commands.archive.workers import in_processes, n_jobs
from ser_stream.commands.exports import DOCUMENTS
from ser_stream.commands.output import others_kept_out
from ser_stream.commands.progress import clear_bar, share_bar
from ser_stream.commands.stopping import told_if_stopped, told_if_terminated
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import stream_config, tell_step, tell_terms
from ser_stream.errors import ConfigError
from ser_stream.paths import is_folder, is_pipe
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.voices.encoder import VoiceEncoder
from ser_stream.sources.recorded import STDIN

_LOGGER = logging.getLogger(__name__)
_STOPPED = "stopped; what is done is kept, and the same command goes on"

MOST_LISTED = 3
"""Recordings, in a line."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a run is computed, and where it goes."""

    format: str = "json"
    segments: bool = False
    jobs: str = "1"
    out: Path | None = None
    engine: str = "local"
    address: str | None = None
    tell_speakers: bool = False
    """Whether rows say who speaks. The key of this name is for streams alone: it must
    not add columns to tables."""
    to_folder: bool = False
    """Whether `out` is said to be a folder, by a slash at its end."""


def recognize(inputs: Inputs, config: ListenConfig, run: Run) -> bool:
    """Recognise recordings, in order; return whether all of each was heard.

    Raises:
        ConfigError: if what is asked for contradicts itself.
        ModelError: if the model, or what tells voices apart, cannot be used.
        SinkError: if the output cannot be written.
        StoppedError: if a signal came before the file of a run was written, or SIGTERM
            before all rows were.
    """
    names = recordings(inputs)
    jobs = n_jobs(run.jobs)
    if run.engine == "local" and run.address is not None:
        raise ConfigError("an address is for --engine ray or dask")
    check_format(run.format, run.out, len(names))
    is_new = run.out is not None and not is_folder(run.out)
    if run.to_folder and is_new and run.format in ONE_FILE:
        raise ConfigError(
            f"{run.out}{os.sep} names a folder; {run.format} goes into one file"
        )
    bundle = load_bundle(config.model)
    tell_terms(bundle)
    tell_step(config, bundle)
    segments = run.segments or run.format in DOCUMENTS
    if run.tell_speakers:
        VoiceEncoder()  # Before anything is computed, and not in each process alone.
    asked = replace(config, tell_speakers=run.tell_speakers)
    job = Job(
        bundle.folder, stream_config(asked, bundle), config.source.wanted, segments
    )
    # By what was asked for, not by how many recordings a folder holds today.
    to_folder = run.to_folder or inputs.may_be_many
    with open_output(run.format, run.out, names, job, bundle, to_folder) as output:
        todo = [name for name in names if not output.is_done(name)]
        done_already = set(names).difference(todo)
        torn = [n for n in names if n in done_already and not output.was_whole(n)]
        if len(todo) < len(names):
            before = len(names) - len(todo)
            _LOGGER.info(
                "%d of %d recordings are done already%s",
                before,
                len(names),
                f"; cut or damaged: {_listed(torn)}" if torn else "",
            )
        whole = not torn
        done = 0
        # What was printed is a good end; what is not written yet is none.
        told = told_if_stopped(_STOPPED)
        if run.out is None:
            told = told_if_terminated(
                lambda: f"stopped after {done} of {len(names)} recordings"
            )
        with others_kept_out(), told, _progress(todo) as show:
            for result in _results(run, job, todo, jobs, show):
                whole &= result.whole
                _tell(result)
                output.add(result)
                done += 1
            output.finish(names)
    return whole


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_LISTED
    said = ", ".join(names[:MOST_LISTED])
    return f"{said} and {more} more" if more > 0 else said


def _results(
    run: Run,
    job: Job,
    names: Sequence[str],
    jobs: int,
    show: Callable[[int, float], None],
) -> Iterator[Result]:
    piped = any(name == STDIN or is_pipe(Path(name)) for name in names)
    if piped and run.engine != "local":
        raise ConfigError(
            "standard input and pipes are read on this machine: leave out --engine"
        )
    if run.engine != "local":
        results = ENGINES[run.engine](job, names, jobs, run.address)
    elif jobs > 1 and len(names) > 1 and not piped:
        results = in_processes(job, names, min(jobs, len(names)))
    else:
        results = run_tasks(job, names, show)
    for done, result in enumerate(results, 1):
        yield result
        show(done, 0.0)


def _tell(result: Result) -> None:
    if result.messages or result.rows:
        clear_bar()
    for level, message in result.messages:
        _LOGGER.log(level, "%s", message)


@contextmanager
def _progress(names: Sequence[str]) -> Iterator[Callable[[int, float], None]]:
    """Shows how many files are done, and how fast; within a file, how much of it."""
    sizes = [max(1, size_of(name)) for name in names]
    before = [0]
    for size in sizes:
        before.append(before[-1] + size)
    begun = time.monotonic()
    done = 0

    def said(_item: object) -> str:
        rate = done / max(time.monotonic() - begun, 1e-3)
        return f"{done} of {len(names)} files, {rate:.1f}/s"

    with share_bar(before[-1], "recognizing", said) as show:

        def update(n: int, share: float) -> None:
            nonlocal done
            done = max(done, n)
            within = share * sizes[n] if n < len(names) else 0.0
            show(before[n] + within)

        yield update
