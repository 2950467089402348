"""M6 and M7: what the tests prove that need a real systemd, and a real browser.

These are small enough to be tests; here their outcomes are stored beside the others.
"""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.checks import Check, at_most, rows
from ser_stream.service.install import Scope, program, units

SERVICE_TESTS = ("tests/service/test_notify.py", "tests/service/test_systemd.py")
PAGE_TESTS = ("tests/sinks/sockets/test_page.py",)
EXPOSURE = 3.0
NOT_PASSED = ("failure", "error", "skipped")


def run(_scale: float = 1.0) -> dict[str, Any]:
    """The service under a systemd; it has no size."""
    return {"checks": rows([*_tested(SERVICE_TESTS), *_exposed()])}


def page(_scale: float = 1.0) -> dict[str, Any]:
    """The packaged page in a browser; it has no size."""
    return {"checks": rows(_tested(PAGE_TESTS))}


def _tested(files: Sequence[str]) -> list[Check]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *files],
            stdout=sys.stderr,
            check=False,
        )
        cases = list(ET.parse(report).iter("testcase"))
    found: dict[str, list[ET.Element]] = {}
    for case in cases:
        # One sentence may be tested with several examples.
        sentence = re.sub(r"^test_|\[.*", "", case.get("name", "")).replace("_", " ")
        found.setdefault(sentence, []).append(case)
    if not found:
        return [Check(" ".join(files), "tests pass", "none was found", met=False)]
    return [_verdict(sentence, some) for sentence, some in found.items()]


def _verdict(sentence: str, cases: Sequence[ET.Element]) -> Check:
    bad = [part.tag for case in cases for part in case if part.tag in NOT_PASSED]
    seconds = sum(float(case.get("time", "0")) for case in cases)
    said = ", ".join(sorted(set(bad))) or f"passed in {seconds:.1f} s"
    return Check(sentence, "test passes", said, not bad)


def _exposed() -> list[Check]:
    """What `systemd-analyze security` says of each of the system's services."""
    checks = []
    with tempfile.TemporaryDirectory() as folder:
        for unit in units(Scope.SYSTEM, program()):
            path = Path(folder) / unit.path.name
            path.write_text(unit.text)
            if path.suffix != ".service":
                continue
            command = ["systemd-analyze", "--no-pager", "security", "--offline=true"]
            done = subprocess.run(
                [*command, str(path)], capture_output=True, text=True, check=True
            )
            found = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
            assert found is not None, done.stdout
            checks.append(
                at_most(f"exposure of {path.name}", EXPOSURE, float(found[1]), "")
            )
    return checks
