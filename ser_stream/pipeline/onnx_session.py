"""ONNX Runtime sessions: one thread, no spinning, no telemetry.

The only importer of onnxruntime in the runtime, when the first graph is opened: to
build a message or read the configuration needs no wait for it.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ser_stream.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime


def open_session(
    path: Path, graph: bytes | None = None, *, arena: bool = False
) -> "onnxruntime.InferenceSession":
    """Load a graph for one CPU thread.

    `graph` is what of the file to load, if it is not as it stands; see `onnx_graph`.
    With an `arena`, what a run needs in between is kept for the next.

    ONNX Runtime's default spins its threads between calls, which costs whole cores in
    a program that computes for a millisecond five times a second.

    Raises:
        ModelError: if the file is absent or no graph.
    """
    # ONNX Runtime's wheels send usage data and keep a device id in the home folder,
    # from the moment they are imported. This program promises that nothing leaves it.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # The arena never gives memory back; without it the footprint is smaller and the
    # step of one stream, measured, no slower.
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4
    try:
        with _named(path, graph) as name:
            session = onnxruntime.InferenceSession(
                name, options, providers=["CPUExecutionProvider"]
            )
    except Exception as error:  # noqa: BLE001  ONNX Runtime raises unrelated types
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path} is no graph ONNX Runtime can load: {reason}"
        ) from None
    _give_back_memory()
    return session


@contextmanager
def _named(path: Path, graph: bytes | None) -> Iterator[str]:
    """The name of a file that holds the graph.

    Of bytes too, in memory: a session would keep them as long as it lives.
    """
    if graph is None:
        yield str(path)
        return
    with os.fdopen(os.memfd_create(path.name), "wb", buffering=0) as file:
        file.write(graph)
        yield f"/proc/self/fd/{file.fileno()}"


def _give_back_memory() -> None:
    """Let the system have what loading took and did not keep.

    Of a graph whose weights lie in eight bits that is 90 MB, which glibc would hold for
    ever. Other C libraries have no such call, and no need of it.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
