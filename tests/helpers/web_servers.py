"""Web servers that stand in front of a daemon: installed, or unpacked for the tests."""

import os
import shutil

import pytest

from tests.helpers.paths import ROOT

_UNPACKED = ROOT / "tests" / ".web-servers" / "usr"
_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), *(str(_UNPACKED / name) for name in ("sbin", "bin"))]
)


def web_server(program: str) -> str:
    """Where `program` is; skips the test, aloud, where `install_packages.sh` has not.

    With SER_STREAM_REQUIRE_MICROPHONE=1, as in CI, it fails instead.
    """
    found = shutil.which(program, path=_PATH)
    if found is not None:
        return found
    reason = f"the docs' configuration of {program} is tried with it; it is not there"
    if os.environ.get("SER_STREAM_REQUIRE_MICROPHONE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
