"""A worker that speaks the protocol of the adapting one, learns nothing, and is quick.

A real process, run as the real one is; it makes an adapted bundle of the same graphs.
"""

import json
import sys
from pathlib import Path
from typing import Any

from ser_stream.adaptation.child_process import RoundRunner

GOOD: dict[str, Any] = {
    "canary_windows": 90,
    "canary_heard": False,
    "canary_uar_base": 0.8,
    "canary_uar_before": 0.8,
    "canary_uar_after": 0.81,
    "canary_interval": [-1.0, 3.0],
    "canary_ece_base": 0.1,
    "canary_ece_before": 0.1,
    "canary_ece_after": 0.1,
    "reservoir_windows": 50,
    "reservoir_shares_base": [0.2] * 5,
    "reservoir_shares_before": [0.2] * 5,
    "reservoir_shares_after": [0.2] * 5,
    "reservoir_entropy_base": 0.5,
    "reservoir_entropy_before": 0.5,
    "reservoir_entropy_after": 0.45,
    "agreement": 0.9,
    "agreement_base": 0.9,
    "parameter_change": 0.05,
    "parameter_change_base": 0.05,
    "parity": 1e-6,
}
"""Evidence that acceptance lets through."""

_BEGIN = """
import ctypes, json, os, pathlib, shutil, signal, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
line = sys.stdin.buffer.readline()
job = json.loads(line)
say = lambda fields: print(json.dumps(fields), flush=True)
say({"progress": 0.5, "step": 1, "of": 2})
"""
_MAKE = """
from ser_stream.adaptation.pack import WEIGHTS
from ser_stream.pipeline.bundle import ENCODER, HEAD, seal
bundle, out = pathlib.Path(job["bundle"]), pathlib.Path(job["out"])
new = json.loads((bundle / "manifest.json").read_text())
for name in new["files"]:
    shutil.copy(bundle / name, out)
(out / WEIGHTS).write_text(f"learned by {job['seed']} from {new['sha256']}")
base = {key: new[key] for key in ("name", "sha256")}
base["files"] = {name: new["files"][name] for name in (ENCODER, HEAD)}
grown = new.get("adaptation", {"base": base}) | {
    "parent": new["sha256"], "seed": job["seed"]
}
new |= {"adapted": True, "adaptation": grown}
seal(out, new, {*new["files"], WEIGHTS})
"""


def tiny_child(before: str = "", **evidence: Any) -> list[str]:
    """Its command.

    Args:
        before: more Python for it to run once it has its job.
        evidence: what differs from `GOOD`.
    """
    end = f"say({{'evidence': json.loads({json.dumps(GOOD | evidence)!r})}})"
    return [sys.executable, "-c", "\n".join((_BEGIN, before, _MAKE, end))]


def tiny_rounds(before: str = "", **evidence: Any) -> RoundRunner:
    """Rounds held by it."""
    return RoundRunner(tiny_child(before, **evidence))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be seen off does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
