"""Which state of the code made a result."""

import subprocess
from functools import cache
from pathlib import Path


@cache
def git_revision() -> str:
    """Of the checkout when first asked for; a + says it has uncommitted changes."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    revision = git("rev-parse", "--short=12", "HEAD") or "unknown"
    # Of the code alone: results that are being written change no number.
    changed = git("status", "--porcelain", "--", "ser_stream", "training")
    return revision + ("+" if changed else "")
