"""`python -m ser_stream.adaptation.child`: one round, and its evidence.

Standard input: the job, one JSON line, then the reservoir as npz until the end.
Standard output: lines of JSON; `{"progress": 0.5}` on the way, at last
`{"evidence": {...}}` (status 0) or `{"error": "...", "kind": "..."}` (status 1).
"""

import os
import sys

# Before anything reads them: one thread.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

from ser_stream.adaptation.child.process import step_back


def main() -> int:
    """Run the round that standard input asks for."""
    step_back()
    # torch takes its time; what asks little of it comes first.
    from ser_stream.adaptation.child.run import run

    return run(sys.stdin.buffer, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
