"""Where the results of `adapt-eval` lie."""

from pathlib import Path

from training.engine.result_store import Result, ResultStore


def result_store(folder: Path, locks: Path) -> ResultStore:
    """The results below a folder; `locks` is what processes hold meanwhile."""
    return ResultStore(folder, locks, "adapt-eval", key="protocol")


def read_all(folder: Path) -> list[Result]:
    """All finished results of a folder, in the order of their names."""
    return result_store(folder, folder).read_all(".")
