"""Keeps the child from slowing other processes."""

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

NICENESS = 19
AUTOGROUP = Path("/proc/self/autogroup")
PR_SET_PDEATHSIG = 1


def step_back() -> None:
    """Take the processor only when no other process wants it."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        # A session of its own, such as this process has, is a group of its own to
        # Linux's scheduler, and niceness counts within a group only.
        AUTOGROUP.write_text(str(NICENESS), encoding="ascii")
    # Longer turns, later ones: this never waits for anything. A sandbox may forbid it.
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def end_with(parent: int) -> None:
    """Have the system kill this process when its `parent` ends, however that happens.

    Where the system cannot do that, the round ends when its output has no reader.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        # It was gone before it could be asked for.
        raise SystemExit(1)


def bound_memory(memory_mb: int) -> None:
    """Refuse this process more private memory than `memory_mb`.

    RLIMIT_DATA counts what is asked for, used or not, so it is somewhat more than what
    will be resident; the parent looks at that.
    """
    limit = round(1.5 * memory_mb * 1e6)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
