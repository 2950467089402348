"""`python -m benchmarks.soak [PART ...]`: the daemon under load, faults and time."""

import argparse
import shutil
import sys
import textwrap
from pathlib import Path

from benchmarks.soak import parts, report
from ser_stream.sinks.sockets.loop_thread import raise_file_limit


def main() -> int:
    """Run what has not been run, keep it, write the page, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument(
        "part", nargs="*", choices=[*parts.PARTS, []], help="all, if none is named"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of time and numbers; 0.02 is a trial"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/soak"), metavar="FOLDER")
    parser.add_argument(
        "--again", action="store_true", help="also what was run to its end before"
    )
    options = parser.parse_args()
    raise_file_limit()
    names = options.part or list(parts.PARTS)
    todo = (
        [parts.PARTS[name] for name in names]
        if options.again
        else parts.missing(names, options.scale, options.out)
    )
    for part in todo:
        parts.run(part, options.scale, options.out)
        report.write(options.out)
    found = {name: parts.load(options.out, name) for name in parts.PARTS}
    results = {name: result for name, result in found.items() if result}
    report.write(options.out)
    _print(parts.table(results))
    return int(any(not c["met"] for r in results.values() for c in r["checks"]))


def _print(rows: list[tuple[str, str, str, str, str]]) -> None:
    width = max(40, (shutil.get_terminal_size((120, 24)).columns - 16) // 3)
    for row in [("id", "what", "target", "measured", "met"), *rows]:
        columns = [textwrap.wrap(cell, width) or [""] for cell in row[1:4]]
        for n in range(max(map(len, columns))):
            cells = [c[n] if n < len(c) else "" for c in columns]
            first, last = (row[0], row[4].strip("*")) if n == 0 else ("", "")
            text = "  ".join(f"{cell:<{width}}" for cell in cells)
            sys.stdout.write(f"{first:<4}{text}  {last}\n")


if __name__ == "__main__":
    sys.exit(main())
