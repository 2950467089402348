"""`python -m benchmarks.serve_load [--streams N --hostile N --seconds S]`."""

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.serve_load.run import run
from benchmarks.soak.host import cpu_name
from ser_stream.atomic_file import replace_file
from ser_stream.sinks.sockets.loop_thread import raise_file_limit


def main() -> int:
    """Run it, keep it, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load")
    parser.add_argument("--streams", type=int, default=200, help="hostile ones too")
    parser.add_argument("--hostile", type=int, default=40, help="of them")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--alone", type=float, default=60.0, help="seconds before that")
    parser.add_argument("--out", type=Path, default=Path("docs/serve_load.json"))
    options = parser.parse_args()
    raise_file_limit()
    result = run(options.streams, options.hostile, options.seconds, options.alone)
    result["cpu"] = f"{cpu_name()}, {os.cpu_count()} cores"
    replace_file(options.out, json.dumps(result, indent=1) + "\n")
    for check in result["checks"]:
        met = "yes" if check["met"] else "NO"
        sys.stdout.write(
            f"{met:>3}  {check['what']}: {check['measured']} ({check['target']})\n"
        )
    for name in ("delay_ms", "cpu_percent", "attempts", "honest", "overload_lines"):
        sys.stdout.write(f"     {name}: {json.dumps(result[name])}\n")
    return int(any(not check["met"] for check in result["checks"]))


if __name__ == "__main__":
    sys.exit(main())
