"""What the figures were measured on."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ser_stream

LIBRARIES = ("numpy", "onnxruntime", "soxr", "websockets")


def description() -> dict[str, Any]:
    """Machine and versions."""
    versions = {"ser-stream": ser_stream.__version__}
    versions |= {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1
        ),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def cpu_name() -> str:
    """As the kernel calls it."""
    for row in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = row.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
