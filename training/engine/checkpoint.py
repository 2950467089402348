"""A checkpoint: weights, the configuration that rebuilds them, and the epoch."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ser_stream.atomic_file import replacing
from ser_stream.errors import ModelError

PARTS = ("epoch", "config", "weights")
"""What every checkpoint has, slimmed ones too."""


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: a kill leaves the old file or the new one, never half.

    Raises:
        OSError: if it cannot be written, as on a full disk; the old file stays.
    """
    try:
        with replacing(path) as part, part.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        # torch turns a full disk into a RuntimeError about its archive.
        cause = error.__cause__ or error.__context__ or error
        raise OSError(f"{path} could not be written: {cause}") from None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint: at least its `epoch`, `config` and `weights`.

    Raises:
        ModelError: if the file is absent or no checkpoint.
    """
    if not path.is_file():
        raise ModelError(f"there is no checkpoint {path}")
    try:
        content: dict[str, Any] = torch.load(
            path, map_location="cpu", weights_only=True
        )
    except Exception as error:  # noqa: BLE001  whatever torch raises on garbage
        raise _foreign(path, type(error).__name__) from None
    if not isinstance(content, dict):
        raise _foreign(path, f"it holds a {type(content).__name__}")
    if absent := [part for part in PARTS if part not in content]:
        raise _foreign(path, f"it has no {', '.join(absent)}")
    return content


def _foreign(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path} is no checkpoint that `python -m training train` wrote ({why})"
    )


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """What a result calls the network it began from; equal weights, equal digest."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
