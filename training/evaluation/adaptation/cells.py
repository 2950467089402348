"""What there is to compute, each the size that a kill may lose; many at a time."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from ser_stream.errors import SerStreamError
from training.evaluation.adaptation.result_file import Result, finished, keep
from training.evaluation.adaptation.settings import AdaptEvalConfig

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Say = Callable[[str], None]


class Cell(Protocol):
    """One result: a file below the folder of results."""

    @property
    def name(self) -> str:
        """Of the file, without suffix: `gains/casia-emodb-seed-98-half-1`."""

    def protocol(self, settings: AdaptEvalConfig) -> Result:
        """What the result would be of; a file of another protocol is never mixed in."""

    def compute(self, settings: AdaptEvalConfig, say: Say) -> Result:
        """The rest of the result."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that could not be computed."""

    name: str
    reason: str


def path_of(cell: Cell, settings: AdaptEvalConfig) -> Path:
    """The cell's file."""
    return settings.folder / f"{cell.name}.json"


def compute(
    cells: Sequence[Cell],
    settings: AdaptEvalConfig,
    say: Say,
    *,
    jobs: int | None = None,
) -> list[Failure]:
    """Compute the cells that are not there yet; the others are left as they are.

    Args:
        cells: what is wanted.
        settings: of the evaluation.
        say: told a line for each cell that is finished or fails.
        jobs: processes; those of the settings by default. With 1 it is done in this.

    Returns:
        What failed; everything else was computed all the same.

    Raises:
        ConfigError: before anything is computed, if a result of another protocol is in
            the way.
    """
    todo = [
        cell
        for cell in cells
        if not finished(path_of(cell, settings), cell.protocol(settings))
    ]
    say(f"{len(cells)} cells, {len(cells) - len(todo)} of them done already")
    jobs = min(jobs or settings.jobs, len(todo))
    failures = []
    with tqdm(total=len(todo), unit="cell", disable=None) as bar:

        def over(cell: Cell, reason: str | None) -> None:
            bar.update()
            if reason is None:
                say(f"done: {cell.name}")
            else:
                failures.append(Failure(cell.name, reason))
                say(f"failed: {cell.name}: {reason}")

        if jobs <= 1:
            for cell in todo:
                over(cell, _one(cell, settings, say))
        else:
            _in_processes(todo, settings, jobs, over)
    return failures


def _in_processes(
    todo: Sequence[Cell],
    settings: AdaptEvalConfig,
    jobs: int,
    over: Callable[[Cell, str | None], None],
) -> None:
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            futures = {pool.submit(_one, cell, settings): cell for cell in todo}
            for future in as_completed(futures):
                over(futures[future], future.result())
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _one(
    cell: Cell, settings: AdaptEvalConfig, say: Say = lambda text: None
) -> str | None:
    """Compute one cell and keep it; why not, if it fails."""
    torch.set_num_threads(1)
    try:
        result = cell.compute(settings, say)
    except (SerStreamError, OSError) as error:
        return str(error)
    except Exception:  # noqa: BLE001  the other cells go on; this one says where
        return traceback.format_exc()
    keep(path_of(cell, settings), cell.protocol(settings), result)
    return None
