"""`python -m benchmarks.monitor`."""

import sys

from benchmarks.monitor.cost import measure
from benchmarks.monitor.screenshots import take

PARTS = {"screenshots": take, "cost": measure}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"which one? {' or '.join(PARTS)}")
    PARTS[sys.argv[1]]()
