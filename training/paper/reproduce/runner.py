"""Many cells, on all cores, safe to kill at any moment."""

import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.multiprocessing as multiprocessing
from tqdm import tqdm

from ser_stream.errors import SerStreamError
from training.engine.fit import pick_device
from training.paper.reproduce.cells import Cell
from training.paper.reproduce.run_cell import is_done, run_cell
from training.paper.reproduce.workspace import Workspace

LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Message:
    """From a worker: how far a cell is, that it is over, or why it failed."""

    cell: Cell
    share: float = 0.0
    over: bool = False
    error: str = ""


def reproduce(
    cells: Sequence[Cell],
    space: Workspace,
    *,
    jobs: int = 0,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Compute the cells that are not there yet, in order.

    Args:
        cells: the most telling first.
        space: where everything lies.
        jobs: processes; 0: one for each core, or one if there is a GPU.
        progress: show a bar with the time left.
        say: told a line for each cell that is finished or fails.

    Returns:
        One line for each cell that failed; the others were computed all the same.

    Raises:
        SerStreamError: before anything is computed, if a corpus is missing or results
            of another configuration are in the way.
    """
    missing = [cell for cell in cells if not is_done(cell, space)]
    say(f"{len(cells)} cells, {len(cells) - len(missing)} of them done already")
    # A corpus that is absent is found now and not after an hour.
    _read_corpora(missing, space)
    if not missing:
        return []
    on_gpu = pick_device(space.device).type == "cuda"
    jobs = jobs or (1 if on_gpu else (os.cpu_count() or 1))
    # The same for the last cell as for the first: sums depend on it in the last digit.
    threads = max(1, (os.cpu_count() or 1) // jobs)
    jobs = min(len(missing), jobs)
    with tqdm(
        total=len(missing), unit="cell", disable=not progress, smoothing=0.05
    ) as bar:
        watch = _Watch(bar, say)
        if jobs == 1:
            torch.set_num_threads(threads)
            work(missing, space, watch.take)
        else:
            _in_processes(missing, space, jobs, threads, watch.take)
    return watch.failed


def _read_corpora(cells: Sequence[Cell], space: Workspace) -> None:
    for place in dict.fromkeys(
        (cell.protocol == "cross", cell.place) for cell in cells
    ):
        first = next(c for c in cells if (c.protocol == "cross", c.place) == place)
        space.place(first)


class WorkerError(SerStreamError):
    """A worker process crashed or was killed."""

    exit_status = 1


class _Watch:
    """Messages -> the bar, and a line for each cell."""

    def __init__(self, bar: "tqdm[None]", say: Callable[[str], None]) -> None:
        self._bar, self._say = bar, say
        self._shares: dict[Cell, float] = {}
        self.failed: list[str] = []

    def take(self, message: Message) -> None:
        cell = message.cell
        share = 1.0 if message.over or message.error else message.share
        self._bar.update(share - self._shares.get(cell, 0.0))
        self._shares[cell] = share
        self._bar.set_description(str(cell), refresh=False)
        if message.error:
            self.failed.append(f"{cell}: {message.error}")
            tqdm.write(f"failed: {self.failed[-1]}", file=sys.stderr)
        elif message.over:
            self._say(f"done: {cell}")


def work(
    cells: Sequence[Cell], space: Workspace, send: Callable[[Message], None]
) -> None:
    """Go through the cells, then wait for those that another process had.

    Should that process die, its cells are finished here.
    """
    failed: set[Cell] = set()
    for wait in (False, True):
        for cell in cells:
            if cell in failed:
                continue

            def tell(share: float, cell: Cell = cell) -> None:
                send(Message(cell, share))

            try:
                if run_cell(cell, space, tell, wait=wait):
                    send(Message(cell, over=True))
            except (SerStreamError, OSError) as error:
                failed.add(cell)
                send(Message(cell, error=str(error)))


def _in_processes(
    cells: Sequence[Cell],
    space: Workspace,
    jobs: int,
    threads: int,
    take: Callable[[Message], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message | None] = context.Queue()
    old = {name: os.environ.get(name) for name in LIBRARY_THREADS}
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, str(threads)))
    lean = replace(space, _places={})
    workers = [
        context.Process(
            target=_worker, args=(cells, lean, threads, messages, os.getpid())
        )
        for _ in range(jobs)
    ]
    ended_alone = False
    try:
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers) or not messages.empty():
            try:
                message = messages.get(timeout=0.5)
            except queue.Empty:
                continue
            if message is not None:
                take(message)
        ended_alone = True
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    crashed = [w.exitcode for w in workers if w.exitcode]
    if ended_alone and crashed:
        raise WorkerError(
            f"a worker ended with status {crashed[0]}"
            + (", perhaps for lack of memory" if crashed[0] == -signal.SIGKILL else "")
            + "; what it had finished is kept, the same command goes on"
        )


def _end_with(parent: int) -> None:
    # A command that was killed takes its workers along, and so frees their cells.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _worker(
    cells: Sequence[Cell],
    space: Workspace,
    threads: int,
    messages: "multiprocessing.Queue[Message | None]",
    parent: int,
) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def send(message: Message) -> None:
        messages.put(message)

    try:
        work(cells, space, send)
    except KeyboardInterrupt:
        pass
    except Exception:
        traceback.print_exc()
        raise
