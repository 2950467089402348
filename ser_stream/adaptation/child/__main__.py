"""`python -m ser_stream.adaptation.child`: one round, and its evidence.

Standard input: the job, one JSON line, then the reservoir as npz until the end.
Standard output: lines of JSON; `{"progress": 0.5}` on the way, at last
`{"evidence": {...}}` (status 0) or `{"error": "...", "kind": "..."}` (status 1).
"""

import json
import sys

from ser_stream.adaptation.child.process import end_with, step_back


def main() -> int:
    step_back()
    job = json.loads(sys.stdin.buffer.readline())
    # Before torch, which takes seconds: a daemon that dies meanwhile takes us along.
    end_with(int(job["parent"]))
    try:
        from ser_stream.adaptation.child.run import run
    except (ImportError, OSError) as error:
        # Installed, for the daemon has looked, but for another machine or only half.
        text = f"the libraries of the extra adapt cannot be loaded: {error}"
        sys.stdout.write(json.dumps({"error": text, "kind": "library"}) + "\n")
        return 1
    return run(job, sys.stdin.buffer, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
