"""A CPAC network -> its two graphs, `encoder.onnx` and `head.onnx`.

The graphs' initialisers keep the names of the torch parameters, so that an adapted
network can be written into the same graphs.
"""

import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from ser_stream.bundle import ENCODER, HEAD
from ser_stream.nn.cpac import FRAMES_PER_COLUMN, Cpac

OPSET = 18
_EXTRA_FRAMES = 30


def write_pair(model: Cpac, folder: Path) -> None:
    """Write both graphs into `folder`; the network is put in evaluation mode."""
    model.eval()
    columns = torch.export.Dim("columns", min=1, max=64)
    frames = torch.zeros(1, FRAMES_PER_COLUMN * 3 + _EXTRA_FRAMES, 39)
    _write(
        model.encoder,
        frames,
        {1: FRAMES_PER_COLUMN * columns + _EXTRA_FRAMES},
        ("frames", "columns"),
        folder / ENCODER,
    )
    config = model.config
    example = torch.zeros(1, 3, config.n_primary, config.capsule_dim)
    _write(model.head, example, {1: columns}, ("columns", "logits"), folder / HEAD)


def _write(
    module: nn.Module,
    example: torch.Tensor,
    dynamic: dict[int, object],
    names: tuple[str, str],
    path: Path,
) -> None:
    with warnings.catch_warnings():
        # torch's exporter warns about its own internals.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=(dynamic,),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path))
