"""What the parts of `make soak` find, for tests."""

from typing import Any


def unmet(result: dict[str, Any]) -> list[str]:
    """Checks that are not met, save those that depend on the machine's speed."""
    return [
        f"{check['what']}: {check['measured']}"
        for check in result["checks"]
        if not check["met"] and not check["timing"]
    ]
