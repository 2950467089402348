"""Which state of the code made a result."""

import subprocess


def git_revision() -> str:
    """Of the checkout, with a + where it has uncommitted changes."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    revision = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no")
    return revision + ("+" if changed else "")
