"""`python -m benchmarks.fuzz`: damaged recordings through the reader.

Each must give samples or one clear error: no other exception, no hang, no memory beyond
what a good file needs. Files are read in a process that is watched from this one.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from ser_stream.errors import SourceError
from ser_stream.sources.recorded import Recorded
from tests.helpers.damaged_recordings import damaged
from tests.helpers.made_recordings import make_all, missing_tool
from tests.helpers.paths import DATA

LIMIT_S = 5.0


def _read(link: Connection) -> None:
    """Read what is named, and say how that ended."""
    while (name := link.recv()) is not None:
        begun = time.perf_counter()
        try:
            with Recorded.open(name) as recorded:
                n = sum(len(chunk.samples) for chunk in recorded.chunks())
            outcome = "damaged" if recorded.damage else "whole"
            outcome = outcome if n else "nothing, but no error"
        except SourceError as error:
            outcome = "refused" if "\n" not in str(error) else "error of many lines"
        except Exception as error:  # noqa: BLE001  this is what is looked for
            outcome = f"exception {error!r}"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        link.send((outcome, time.perf_counter() - begun, memory))


class Reader:
    """A process that reads, started anew when it hangs or dies."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._link, other = multiprocessing.Pipe()
        self._process = multiprocessing.Process(
            target=_read, args=(other,), daemon=True
        )
        self._process.start()
        other.close()

    def read(self, path: Path) -> tuple[str, float, int]:
        self._link.send(str(path))
        try:
            if self._link.poll(LIMIT_S):
                answer: tuple[str, float, int] = self._link.recv()
                return answer
            outcome = "hang"
        except EOFError:
            outcome = "crash"
        self._process.kill()
        self._begin()
        return outcome, LIMIT_S, 0


def main() -> int:
    """Run; the status is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=98)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if (tool := missing_tool()) is not None:
        sys.stderr.write(f"fuzz needs {tool}: apt install ffmpeg sox\n")
        return 69
    outcomes: Counter[str] = Counter()
    slowest, memory, bad = 0.0, 0, []
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        make_all(DATA / "15a02Ac.flac", made)
        good = [(path.name, path.read_bytes()) for path in sorted(made.iterdir())]
        reader = Reader()
        for name, content in damaged(good, asked.files, asked.seed):
            path = Path(scratch) / name
            path.write_bytes(content)
            outcome, seconds, used = reader.read(path)
            outcomes[outcome.split(" ")[0] if outcome[:2] == "ex" else outcome] += 1
            slowest, memory = max(slowest, seconds), max(memory, used)
            if outcome not in ("whole", "damaged", "refused"):
                bad.append(f"{name}: {outcome}")
                if asked.keep is not None:
                    asked.keep.mkdir(parents=True, exist_ok=True)
                    (asked.keep / name).write_bytes(content)
            path.unlink()
    result = {
        "files": asked.files,
        "seed": asked.seed,
        "outcomes": dict(outcomes.most_common()),
        "slowest_s": round(slowest, 2),
        "memory_mb": memory,
        "failed": bad,
    }
    sys.stdout.write(json.dumps(result, indent=None if asked.json else 2) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
