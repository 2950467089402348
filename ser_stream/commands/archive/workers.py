"""Tasks on several processes of this machine, results in the order of the tasks."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from logging import ERROR
from multiprocessing.connection import wait

from ser_stream.commands.archive.inputs import size_of
from ser_stream.commands.archive.task import Job, Result, run_all
from ser_stream.errors import ConfigError
from ser_stream.pipeline.batch.record import RECORDINGS_AT_ONCE
from ser_stream.sources.decoders.held_signals import held_signals

AHEAD = 4
"""Tasks that wait, for each process: results that are done early are kept in memory."""
BATCH_BYTES = 2 << 20
"""Of recordings that go together: some twenty clips, or a minute or so."""
MOST_JOBS = 256


def n_jobs(text: str) -> int:
    """How many processes `--jobs` means; `auto` is a process a core.

    Raises:
        ConfigError: if it is no such number.
    """
    if text == "auto":
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else (os.cpu_count() or 1)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_JOBS:
        return int(text)
    raise ConfigError(f"jobs is {text!r}; allowed: auto, or 1 to {MOST_JOBS}")


def in_processes(job: Job, names: Sequence[str], jobs: int) -> Iterator[Result]:
    """Run tasks on so many processes, each with one thread.

    A process that dies takes no other recording with it: what was not done is done
    anew, and a recording that kills the process it is alone with is told.
    """
    todo = deque(batches(names, jobs))
    while todo:
        try:
            for results in _pooled(job, list(todo), jobs):
                todo.popleft()
                yield from results
        except BrokenProcessPool:
            suspects = todo.popleft()
            if len(suspects) > 1:
                todo.extendleft([name] for name in reversed(suspects))
            else:
                yield from _alone(job, suspects)


def batches(names: Sequence[str], workers: int) -> list[Sequence[str]]:
    """Recordings that go to a worker together: clips take less time so.

    Long ones go alone, so that little is done anew after a stop.
    """
    most = max(1, min(RECORDINGS_AT_ONCE, len(names) // (workers * AHEAD)))
    found, size = list[list[str]](), 0
    for name in names:
        more = size_of(name)
        if not found or len(found[-1]) >= most or size + more > BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(name)
        size += more
    return [*found]


def _pooled(
    job: Job, todo: Sequence[Sequence[str]], jobs: int
) -> Generator[list[Result], None, None]:
    # Spawned: a fork would share locks of libraries that are in use.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin)
    waiting = deque[Future[list[Result]]]()
    try:
        for names in todo:
            with held_signals(signal.SIGINT):
                waiting.append(pool.submit(run_all, job, names))
            if len(waiting) >= jobs * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # At once, at Ctrl-C: what is not done is done when the run goes on.
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        if waiting:
            for process in processes:
                process.terminate()


def _alone(job: Job, names: Sequence[str]) -> list[Result]:
    pooled = _pooled(job, [names], 1)
    try:
        return next(pooled)
    except BrokenProcessPool:
        (name,) = names
        message = f"{name}: the process that read it has died; is the machine short "
        return [Result(name, (), ((ERROR, message + "of memory?"),))]
    finally:
        pooled.close()


def _begin() -> None:
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that was killed ends nobody; those that it has started must look."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
