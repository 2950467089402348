"""Bundles for a store, and a process that works on one until it is killed.

`python -m tests.helpers.adaptation_store loop FOLDER BASE`: for each line on standard
input, a seed, a child of its own that rejects, accepts, rolls back and so on for ever.
It says `began PID`, then what the store acknowledged, and when it is dead `ended`.

`python -m tests.helpers.adaptation_store sweep FOLDER BASE STEP`: takes STEP on copies
FOLDER/1, FOLDER/2 ... of FOLDER/0, and kills itself before the first, the second ...
change that STEP makes to the file system, until one is finished.
"""

import itertools
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_stream.adaptation.pack import WEIGHTS
from ser_stream.adaptation.versions.store import Store
from ser_stream.atomic_file import replace_file
from ser_stream.pipeline.bundle import (
    CARD,
    ENCODER,
    HEAD,
    MANIFEST,
    Bundle,
    load_bundle,
    seal,
)
from tests.helpers.paths import OPEN


def write_manifest(folder: Path, **changes: object) -> None:
    """Change the manifest of a bundle, and the hashes with it."""
    manifest = json.loads((folder / MANIFEST).read_text()) | changes
    names = (ENCODER, HEAD, WEIGHTS)
    seal(folder, manifest, [name for name in names if (folder / name).exists()])


def tiny_base(folder: Path) -> Bundle:
    """The packaged bundle with graphs of a few bytes: whole, but quick to copy."""
    folder.mkdir(parents=True)
    shutil.copy(OPEN / MANIFEST, folder)
    for name in (ENCODER, HEAD, CARD):
        (folder / name).write_bytes(name.encode())
    write_manifest(folder)
    return load_bundle(str(folder))


def stage(store: Store, what: object = 0, **changes: object) -> Path:
    """A candidate that grew from the active version, told apart by `what`."""
    folder = store.staging()
    shutil.copytree(store.base.folder, folder, dirs_exist_ok=True)
    (folder / WEIGHTS).write_text(str(what))
    adaptation = {"parent": store.state.active}
    write_manifest(folder, **{"adapted": True, "adaptation": adaptation} | changes)
    return folder


def save_reservoir(store: Store) -> None:
    """As the adapter does, where the user asked for it."""
    replace_file(store.reservoir_path, b"what was heard" * 1000, mode=0o600)


STEPS: dict[str, Callable[[Store, Path], object]] = {
    "accepted": lambda store, staged: store.accept(staged, "better", {"uar": 0.5}),
    "rejected": lambda store, staged: store.reject("worse", {"uar": 0.1}),
    "rolled_back": lambda store, staged: store.rollback("it got worse"),
    "reset": lambda store, staged: store.reset(),
    "frozen": lambda store, staged: store.freeze(True),
}


def _work(folder: Path, base: Bundle, seed: int) -> None:
    dice = random.Random(seed)
    steps = ["accepted"] * 8 + ["rejected"] * 4 + ["rolled_back"] * 3 + ["reset"]
    with Store.open(folder, base) as store:
        for round_ in itertools.count():
            staged = stage(store, f"{seed} {round_}")
            save_reservoir(store)
            store.freeze(dice.random() < 0.5)
            step = dice.choice(steps)
            if step == "rolled_back" and not store.state.versions:
                continue
            STEPS[step](store, staged)
            _say(json.dumps(store.history[-1].to_dict()))


def _loop(folder: Path, base: Bundle) -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _say(f"began {os.getpid()}")
            _work(folder, base, int(line))
        os.waitpid(child, 0)
        _say("ended")


def _say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())  # whole, whoever is killed


_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"}


def _kill_before(count: int) -> None:
    """Kill this process before its change number `count` of the file system."""
    left = itertools.count(count, -1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in _CHANGES or writes) and next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _sweep(folder: Path, base: Bundle, step: str) -> None:
    for count in itertools.count(1):
        copy = folder / str(count)
        shutil.copytree(folder / "0", copy)
        child = os.fork()
        if not child:
            if step == "open":
                _kill_before(count)
                Store.open(copy, base)
            else:
                store = Store.open(copy, base)
                staged = stage(store, "the last one")
                _kill_before(count)
                STEPS[step](store, staged)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            sys.exit(status)


if __name__ == "__main__":
    mode, folder, bundle, *rest = sys.argv[1:]
    if mode == "loop":
        _loop(Path(folder), load_bundle(bundle))
    else:
        _sweep(Path(folder), load_bundle(bundle), rest[0])
