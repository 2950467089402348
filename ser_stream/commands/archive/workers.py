"""Tasks on several processes of this machine, results in the order of the tasks."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from logging import ERROR
from multiprocessing.connection import wait

from ser_stream.commands.archive.task import Job, Result, run
from ser_stream.errors import ConfigError

AHEAD = 4
"""Tasks that wait, for each process: results that are done early are kept in memory."""
MOST_JOBS = 256


def n_jobs(text: str) -> int:
    """How many processes `--jobs` means; `auto` is a process a core.

    Raises:
        ConfigError: if it is no such number.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_JOBS:
        return int(text)
    raise ConfigError(f"jobs is {text!r}; allowed: auto, or 1 to {MOST_JOBS}")


def in_this_process(
    job: Job, names: Sequence[str], progress: Callable[[float], None]
) -> Iterator[Result]:
    for name in names:
        yield run(job, name, progress)


def in_processes(job: Job, names: Sequence[str], jobs: int) -> Iterator[Result]:
    """Run tasks on so many processes, each with one thread.

    A process that dies takes no other recording with it: what was not done is done
    anew, one at a time, and the recording that kills it twice is told.
    """
    todo = deque(names)
    while todo:
        try:
            for result in _pooled(job, list(todo), jobs):
                todo.popleft()
                yield result
        except BrokenProcessPool:
            yield _alone(job, todo.popleft())


def _pooled(job: Job, names: Sequence[str], jobs: int) -> Generator[Result, None, None]:
    # Spawned: a fork would share locks of libraries that are in use.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin)
    waiting = deque[Future[Result]]()
    try:
        for name in names:
            waiting.append(pool.submit(run, job, name))
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


def _alone(job: Job, name: str) -> Result:
    pooled = _pooled(job, [name], 1)
    try:
        return next(pooled)
    except BrokenProcessPool:
        message = f"{name}: the process that read it has died; is the machine short "
        return Result(name, (), ((ERROR, message + "of memory?"),))
    finally:
        pooled.close()


def _begin() -> None:
    # Ctrl-C goes to all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that was killed can end nobody; those it has started look themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
