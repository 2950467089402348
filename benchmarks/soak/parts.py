"""The parts, and their results, each kept as it is finished."""

import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak import host
from benchmarks.soak.checks import Check, rows
from ser_stream.atomic_file import replace_file

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    id: str
    """Of the row of the table that it belongs to."""
    title: str
    module: str
    function: str = "run"

    def run(self, scale: float) -> Result:
        """Measure; what it finds, with its `checks`."""
        module = importlib.import_module(f"benchmarks.soak.{self.module}")
        result: Result = getattr(module, self.function)(scale)
        return result


PARTS = {
    part.name: part
    for part in (
        Part("load", "M1", "Hundreds of subscribers", "load"),
        Part("microphone", "M2", "A microphone that vanishes", "microphone"),
        Part("hostile", "M3", "Hostile lines", "hostile"),
        Part("faults", "M4", "Faults around the daemon", "faults"),
        Part("fast", "M5", "A day of audio at fast pace", "long", "fast"),
        Part("realtime", "M5", "Half an hour at real time", "long", "realtime"),
        Part("service", "M6", "Under systemd", "service"),
        Part("page", "M7", "The page in a browser", "service", "page"),
        Part("brokers", "M8", "Brokers that are stopped and started", "brokers"),
        Part("fleet", "M9", "Workers that are killed", "fleet"),
    )
}


def load(out: Path, name: str) -> Result | None:
    """What was found by a part; None if it has not been run."""
    try:
        result: Result = json.loads((out / f"{name}.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    return result


def run(part: Part, scale: float, out: Path) -> Result:
    """Run a part, and keep what it finds; a failure of the part itself is a result."""
    begin = time.monotonic()
    head = host.description() | {
        "command": f"python -m benchmarks.soak {part.name} --scale {scale:g}",
        "scale": scale,
    }
    finished = True
    try:
        found = part.run(scale)
    except Exception as error:  # noqa: BLE001  the other parts still run
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        check = Check("the part itself", "runs to its end", text, met=False)
        found, finished = {"checks": rows([check])}, False
    seconds = round(time.monotonic() - begin, 1)
    result = head | {"seconds": seconds, "finished": finished} | found
    replace_file(out / f"{part.name}.json", json.dumps(result, indent=1) + "\n")
    return result


def missing(names: Sequence[str], scale: float, out: Path) -> list[Part]:
    """Those that have not been run to their end at this scale."""
    todo = []
    for name in names:
        found = load(out, name)
        if found and found["finished"] and found["scale"] == scale:
            sys.stderr.write(f"{name}: done already, {out / name}.json\n")
        else:
            todo.append(PARTS[name])
    return todo


def table(results: dict[str, Result]) -> list[tuple[str, str, str, str, str]]:
    """Id, what, target, measured, and whether it is met."""
    found = []
    for name, part in PARTS.items():
        if name not in results:
            found.append((part.id, part.title, "", "not run", ""))
            continue
        for check in results[name]["checks"]:
            met = "yes" if check["met"] else "**no**"
            what = f"{name}: {check['what']}"
            found.append((part.id, what, check["target"], check["measured"], met))
    return found
