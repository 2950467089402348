"""The libraries that only the adapting child process imports: the extra `adapt`."""

from importlib.util import find_spec

from ser_stream.errors import MissingLibraryError

NAMES = ("torch", "onnx", "safetensors")


def missing_libraries() -> tuple[str, ...]:
    """Those of the extra that are not installed; none of them is imported."""
    return tuple(name for name in NAMES if find_spec(name) is None)


def require_libraries() -> None:
    """Look for them before the child process would have to.

    Raises:
        MissingLibraryError: naming what is missing, and the extra.
    """
    if missing := missing_libraries():
        raise MissingLibraryError(
            f"adaptation needs {', '.join(missing)}, which is not installed; "
            'pip install "ser-stream[adapt]"'
        )
