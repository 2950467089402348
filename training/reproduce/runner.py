"""Many cells, on all cores, safe to kill at any moment."""

import os
import queue
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.multiprocessing as multiprocessing
from tqdm import tqdm

from ser_stream.errors import SerStreamError
from training.fit import pick_device
from training.reproduce.cells import Cell
from training.reproduce.run_cell import is_done, run_cell
from training.reproduce.workspace import Workspace

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
    jobs = min(len(missing), jobs or (1 if on_gpu else (os.cpu_count() or 1)))
    with tqdm(
        total=len(missing), unit="cell", disable=not progress, smoothing=0.05
    ) as bar:
        watch = _Watch(bar, say)
        if jobs == 1:
            work(missing, space, watch.take)
        else:
            _in_processes(missing, space, jobs, watch.take)
    return watch.failed


def _read_corpora(cells: Sequence[Cell], space: Workspace) -> None:
    for place in dict.fromkeys(
        (cell.protocol == "cross", cell.place) for cell in cells
    ):
        first = next(c for c in cells if (c.protocol == "cross", c.place) == place)
        space.place(first)


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
    """Go through the cells; those that another process has are passed over.

    A second round waits for nothing: what another process holds, it will finish.
    """
    for cell in cells:

        def tell(share: float, cell: Cell = cell) -> None:
            send(Message(cell, share))

        try:
            if run_cell(cell, space, tell):
                send(Message(cell, over=True))
        except (SerStreamError, OSError) as error:
            send(Message(cell, error=str(error)))


def _in_processes(
    cells: Sequence[Cell],
    space: Workspace,
    jobs: int,
    take: Callable[[Message], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message | None] = context.Queue()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    old = {name: os.environ.get(name) for name in LIBRARY_THREADS}
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, str(threads)))
    lean = replace(space, _places={})
    workers = [
        context.Process(
            target=_worker, args=(cells, lean, threads, messages, os.getpid())
        )
        for _ in range(jobs)
    ]
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
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    for worker in workers:
        # Ended by us or by itself; anything else is a crash that wrote its own text.
        if worker.exitcode not in (0, -15):
            raise RuntimeError(f"a worker ended with status {worker.exitcode}")


def _worker(
    cells: Sequence[Cell],
    space: Workspace,
    threads: int,
    messages: "multiprocessing.Queue[Message | None]",
    parent: int,
) -> None:
    torch.set_num_threads(threads)

    def send(message: Message) -> None:
        if os.getppid() != parent:
            # The command was killed; what is done is on disk.
            os._exit(1)
        messages.put(message)

    try:
        work(cells, space, send)
    except KeyboardInterrupt:
        pass
    except Exception:
        traceback.print_exc()
        raise
