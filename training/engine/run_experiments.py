"""Many experiments, in many processes, safe to kill at any moment."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias, TypeVar

from tqdm import tqdm

from ser_stream.errors import ConfigError, SerStreamError
from training.engine.experiment import Experiment, Progress, S, Space
from training.engine.result_store import Result

LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Say = Callable[[str], None]
Pipe: TypeAlias = "Connection[Any, Any]"
E = TypeVar("E", bound=Experiment[Any])
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """How far an experiment is, that it is over, or why it failed."""

    name: str
    share: float = 0.0
    over: bool = False
    error: str = ""


Send = Callable[[Message], None]


class WorkerError(SerStreamError):
    """A worker process crashed or was killed."""

    exit_status = 1


def missing(experiments: Sequence[E], space: Space) -> list[E]:
    """The experiments that have no result yet.

    Raises:
        ConfigError: if a result of another configuration is in the way.
    """
    return [one for one in experiments if not one.is_done(space)]


def run_experiments(
    experiments: Sequence[Experiment[S]],
    space: S,
    *,
    jobs: int = 1,
    threads: int = 1,
    progress: bool | None = True,
    say: Say = lambda text: None,
) -> list[str]:
    """Compute the results that are not there yet, in order.

    Args:
        experiments: the most telling first.
        space: where everything lies.
        jobs: processes; with 1 it is done in this one.
        threads: CPU threads of each. Sums depend on them in the last digit.
        progress: show a bar with the time left; None: on a terminal alone.
        say: told a line for each experiment that is finished or fails.

    Returns:
        One line for each that failed; the others were computed all the same.

    Raises:
        ConfigError: before anything is computed, if a result of another configuration
            is in the way.
        WorkerError: if a process was killed.
    """
    todo = missing(experiments, space)
    say(
        f"{len(experiments)} experiments, {len(experiments) - len(todo)} of them done "
        "already"
    )
    jobs = min(jobs, len(todo))
    hidden = None if progress is None else not progress
    with tqdm(total=len(todo), unit="result", disable=hidden, smoothing=0.05) as bar:
        watch = _Watch(bar, say)
        if jobs == 1:
            _set_threads(threads)
            _work(todo, space, watch.take, say)
        elif jobs:
            _in_processes(todo, space, jobs, threads, watch.take)
    return watch.failed


def each_result(
    experiments: Sequence[E], space: Space, *, wait: bool = True
) -> Iterator[tuple[E, Result | None]]:
    """Every experiment with its result, as soon as it is there, in this process.

    Args:
        experiments: computed in order; those that another process is at come last.
        space: where everything lies.
        wait: for the other process, whose experiment is finished here if it dies;
            otherwise None is given as the result.

    Raises:
        ConfigError: before anything is computed, if a result of another configuration
            is in the way.
    """
    missing(experiments, space)
    busy = []
    for one in experiments:
        if one.run(space) or one.is_done(space):
            yield one, space.store.read(space.store.path(one.name))
        else:
            busy.append(one)
    for one in busy:
        if wait:
            one.run(space, wait=True)
        yield one, space.store.read(space.store.path(one.name)) if wait else None


def chosen(parts: Sequence[T], only: int | None) -> Sequence[T]:
    """All parts, or the one with this number, from 1.

    Raises:
        ConfigError: if there is none of that number.
    """
    if only is None:
        return parts
    if not 1 <= only <= len(parts):
        raise ConfigError(f"only is {only}; allowed: 1 to {len(parts)}")
    return [parts[only - 1]]


class _Watch:
    """Messages -> the bar, and a line for each experiment."""

    def __init__(self, bar: "tqdm[None]", say: Say) -> None:
        self._bar, self._say = bar, say
        self._shares: dict[str, float] = {}
        self.failed: list[str] = []

    def take(self, message: Message) -> None:
        name = message.name
        share = 1.0 if message.over or message.error else message.share
        self._bar.update(share - self._shares.get(name, 0.0))
        self._shares[name] = share
        self._bar.set_description(name, refresh=False)
        if message.error:
            self.failed.append(f"{name}: {message.error}")
            tqdm.write(f"failed: {self.failed[-1]}", file=sys.stderr)
        elif message.over:
            self._say(f"done: {name}")


def _work(experiments: Iterable[E], space: Space, send: Send, say: Say) -> None:
    """Go through them, then wait for those that another command had.

    Should that command die, they are finished here.
    """
    busy = []
    for one in experiments:
        if _attempt(one, space, send, say, wait=False):
            busy.append(one)
    for one in busy:
        _attempt(one, space, send, say, wait=True)


def _attempt(
    one: Experiment[Any], space: Space, send: Send, say: Say, *, wait: bool
) -> bool:
    """Run one; whether it was left to another command."""

    def tell(share: float) -> None:
        send(Message(one.name, share))

    try:
        if not one.run(space, Progress(tell, say), wait=wait):
            return True
        send(Message(one.name, over=True))
    except Exception as error:  # noqa: BLE001  the others go on
        known = isinstance(error, SerStreamError | OSError)
        why = str(error) if known else traceback.format_exc()
        send(Message(one.name, error=why))
    return False


def _in_processes(
    experiments: Sequence[Experiment[S]],
    space: S,
    jobs: int,
    threads: int,
    take: Send,
) -> None:
    # A pipe for each worker, no lock among them: one that is killed holds up no other.
    context = multiprocessing.get_context("spawn")
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, str(threads)))
    workers, pipes = [], []
    try:
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            worker = context.Process(target=_worker, args=(space, theirs, os.getpid()))
            worker.start()
            theirs.close()
            workers.append(worker)
            pipes.append(ours)
        _serve(pipes, experiments, take)
        for worker in workers:
            worker.join()
        crashed = [w.exitcode for w in workers if w.exitcode]
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        os.environ.clear()
        os.environ.update(before)
    if crashed:
        raise WorkerError(
            f"a worker ended with status {crashed[0]}"
            + (", perhaps for lack of memory" if crashed[0] == -signal.SIGKILL else "")
            + "; what it had finished is kept, the same command goes on"
        )


def _serve(
    pipes: Sequence[Pipe], experiments: Sequence[Experiment[S]], take: Send
) -> None:
    """Give each worker that asks the next experiment, until all have ended."""
    open_pipes, left = list(pipes), list(experiments)
    while open_pipes:
        for pipe in wait(open_pipes):
            assert isinstance(pipe, Connection)
            try:
                message = pipe.recv()
                if message is None:
                    pipe.send(left[0] if left else None)
                    left = left[1:]
            except (EOFError, OSError):
                open_pipes.remove(pipe)
                continue
            if message is not None:
                take(message)


def _end_with(parent: int) -> None:
    # A command that was killed takes its workers along, and so frees their locks.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _worker(space: S, pipe: Pipe, parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def take() -> Iterator[Experiment[S]]:
        while True:
            pipe.send(None)
            one = pipe.recv()
            if one is None:
                return
            yield one

    # The end of the pipe: the command was killed.
    with suppress(KeyboardInterrupt, EOFError, OSError):
        _work(take(), space, pipe.send, lambda text: None)


def _set_threads(n: int) -> None:
    import torch  # The command line lists experiments without it.

    torch.set_num_threads(n)
