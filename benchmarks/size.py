"""Size of a base installation, in an environment of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Any


def measure(folder: Path) -> dict[str, Any]:
    """Install the runtime without extras into `folder` and weigh it."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", "--constraint", "constraints.txt", "."]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return {"base_venv_mb": round(sum(p.stat().st_size for p in files) / 2**20, 1)}
