"""The graphs of the package in place of an export, which takes long to trace them."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.paths import OPEN


def use_packaged_graphs(patch: pytest.MonkeyPatch) -> None:
    """Have `export_bundle` write them for the package's checkpoint.

    They compute the same, which `export_bundle` proves each time; that tracing gives
    such graphs is for `test_parity` to show.
    """

    def copy(_model: object, folder: Path) -> None:
        for name in ("encoder.onnx", "head.onnx"):
            shutil.copy(OPEN / name, folder)

    patch.setattr("export.bundle.write_pair", copy)
