"""`python -m benchmarks [--seconds N] [--no-size]`: all of it, in one run."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

# One thread each, for us and for the peer; before numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks import process, size, step
from benchmarks.soak.host import cpu_name
from ser_stream.atomic_file import replace_file

MINUTE = Path("tests/data/emodb_minute.flac")
OUT = Path("docs/benchmarks.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of each live run")
    parser.add_argument("--no-size", action="store_true", help="skip the installation")
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": f"{cpu_name()}, {os.cpu_count()} cores",
    }
    result["step"] = step.measure(MINUTE)
    _say("step", result["step"])
    with tempfile.TemporaryDirectory() as folder:
        inputs = process.make_inputs(Path(folder), MINUTE, options.seconds)
        for name, path in inputs.items():
            result[name] = process.measure(path)
            _say(name, result[name])
        if not options.no_size:
            result["size"] = size.measure(Path(folder) / "venv")
            _say("size", result["size"])
    replace_file(OUT, json.dumps(result, indent=1) + "\n")
    sys.stdout.write(f"kept in {OUT}\n")


def _say(name: str, figures: object) -> None:
    sys.stdout.write(f"{name}: {json.dumps(figures)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
