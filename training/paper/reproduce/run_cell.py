"""A cell -> its file of results, whatever kind of system it is."""

import shutil
import time
from typing import Any

import numpy as np
import torch

from training.engine.fit import pick_device
from training.paper.reproduce.cells import SUPERVISED, Cell
from training.paper.reproduce.constants import BASELINES
from training.paper.reproduce.progress import Tell
from training.paper.reproduce.result_file import (
    SCHEMA,
    check_same,
    versions,
    write_arrays,
    write_result,
)
from training.paper.reproduce.systems import cell_config
from training.paper.reproduce.workspace import Workspace, locked

CLASSICAL = (*BASELINES, "nmftsl")


def is_done(cell: Cell, space: Workspace) -> bool:
    """Whether the cell's result is there.

    Raises:
        ConfigError: if it is that of another configuration.
    """
    path = space.results / cell.path
    if not path.exists():
        return False
    check_same(path, cell_config(cell, space.epochs))
    return path.with_suffix(".npz").exists() or not has_arrays(cell)


def has_arrays(cell: Cell) -> bool:
    """Whether features lie beside the result, for figures and for Table S5."""
    network = cell.system not in (*CLASSICAL, *SUPERVISED)
    return network and not cell.inner and cell.fold in ("fold-1", "transductive")


def run_cell(
    cell: Cell,
    space: Workspace,
    tell: Tell = lambda share: None,
    *,
    wait: bool = False,
) -> bool:
    """Compute a cell and write its result; a killed one goes on at its last epoch.

    Args:
        cell: what to compute.
        space: where everything lies.
        tell: told how far it is.
        wait: for another process that is at it; otherwise the cell is passed over.

    Returns:
        False if it is done already, or another process is at it.
    """
    folder = space.run_folder(cell)
    with locked(space.lock_folder(cell), wait=wait) as mine:
        if not mine or is_done(cell, space):
            return False
        started = time.monotonic()
        part, arrays = _compute(cell, space, tell)
        place, fold = space.place(cell), space.fold(cell)
        test = part.pop("test", fold.test)
        result: dict[str, Any] = {
            "schema": SCHEMA,
            "protocol": cell.protocol,
            "system": cell.system,
            "place": cell.place,
            "fold": cell.fold,
            "seed": cell.seed,
            "labels": place.labels,
            "revision": space.revision,
            "versions": versions(),
            "device": str(pick_device(space.device)),
            "threads": torch.get_num_threads(),
            # Of this process: what a killed one had spent is not in it.
            "seconds": round(time.monotonic() - started, 1),
            **part,
            "clips": [place.utterances[i].name for i in test],
            "speakers": [place.utterances[i].speaker for i in test],
            "truth": [place.truth[i] for i in test],
        }
        path = space.results / cell.path
        if arrays and has_arrays(cell):
            write_arrays(path.with_suffix(".npz"), **arrays)
        write_result(path, result)
        shutil.rmtree(folder, ignore_errors=True)
    return True


def _compute(
    cell: Cell, space: Workspace, tell: Tell
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    # The one that is needed, alone: openSMILE and scikit-learn are not for everybody.
    if cell.system in SUPERVISED:
        from training.paper.reproduce.run_supervised import run_supervised

        return run_supervised(cell, space, tell)
    if cell.system in CLASSICAL:
        from training.paper.reproduce.run_classical import run_classical

        return run_classical(cell, space, tell)
    if cell.protocol == "cross":
        from training.paper.reproduce.run_cross import run_cross

        return run_cross(cell, space, tell)
    from training.paper.reproduce.run_single import run_single

    return run_single(cell, space, tell)
