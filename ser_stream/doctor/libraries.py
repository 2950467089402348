"""Python, and the libraries that are installed in it."""

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from ser_stream import __version__
from ser_stream.adaptation.libraries import NAMES, missing_libraries
from ser_stream.config import ListenConfig
from ser_stream.doctor.finding import Finding, fail, ok

# Ours sets ONNX Runtime up before it is imported, so it stands for it.
_MODULES = {
    "numpy": "numpy",
    "onnxruntime": "ser_stream.pipeline.onnx_session",
    "soxr": "soxr",
    "soundfile": "soundfile",
}
_EXTRAS = {"ws": "websockets", "metrics": "prometheus_client"}


def check(config: ListenConfig | None) -> Iterator[Finding]:
    yield ok(
        "python",
        f"Python {platform.python_version()} ({sys.executable}), ser-stream "
        f"{__version__}, {platform.machine()}",
    )
    versions = []
    for name, module in _MODULES.items():
        problem = _broken(module)
        if problem:
            yield fail(
                "libraries",
                f"{name} cannot be loaded: {problem}",
                f"{sys.executable} -m pip install --force-reinstall {name}",
            )
        else:
            versions.append(f"{name} {_version(name)}")
    yield ok("libraries", ", ".join(versions))
    for extra, module in _EXTRAS.items():
        missing = _broken(module) and module
        yield _extra(
            extra, module, missing, config is not None and _needs(config, extra)
        )
    # Not loaded: torch is large, and only a child of the daemon ever loads it.
    missing = ", ".join(missing_libraries())
    needed = config is not None and config.adapt.enabled
    yield _extra("adapt", ", ".join(NAMES), missing, needed)


def _broken(module: str) -> str:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return str(error)
    return ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"


def _needs(config: ListenConfig, extra: str) -> bool:
    if extra == "metrics":
        return config.metrics is not None
    return any(address.startswith("ws:") for address in config.to)


def _extra(extra: str, modules: str, missing: str, needed: bool) -> Finding:
    if not missing:
        return ok(f"extra {extra}", f"installed: {modules}")
    if not needed:
        return ok(f"extra {extra}", f"not installed, and not needed: {missing}")
    return fail(
        f"extra {extra}",
        f"the configuration needs {missing}, which is not installed",
        f"{sys.executable} -m pip install 'ser-stream[{extra}]'",
    )
