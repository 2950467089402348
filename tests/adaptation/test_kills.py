"""`listen --adapt` killed with kill -9 at random instants, over and over on one folder.

By hand: ADAPT_KILLS=100 for more kills, ADAPT_SEED=7 for other instants, and
ADAPT_CHILD=real for the worker that learns, in place of a quick one that does not;
`--log-cli-level=INFO` says where the kills fell and what they left.
"""

import contextlib
import getpass
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.adaptation.child_process import CHILD
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.adaptation.versions.state import (
    KEPT_ENTRIES,
    KEPT_VERSIONS,
    Entry,
    StoreState,
)
from ser_stream.adaptation.versions.store import Store, adaptation_folder, read_store
from ser_stream.client import control
from ser_stream.errors import SerStreamError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray
from tests.helpers.adaptation_store import stage
from tests.helpers.adapting_program import PROGRAM, write_talk
from tests.helpers.program import ENVIRONMENT, messages
from tests.helpers.tiny_child import is_alive, tiny_child

_LOGGER = logging.getLogger(__name__)
KILLS = int(os.environ.get("ADAPT_KILLS", "10"))
SEED = int(os.environ.get("ADAPT_SEED", "6"))
REAL = os.environ.get("ADAPT_CHILD") == "real"
BASE = load_bundle("open")
# Every fifth round fails by itself.
WORKER = (
    list(CHILD)
    if REAL
    else tiny_child(
        "time.sleep(0.05)\nif job['seed'] % 5 == 0: sys.exit('it diverged')"
    )
)
ROUND_S = 12.0 if REAL else 0.2
"""From the worker's birth to its candidate, about, seconds."""
EVIDENCE_S = 4.0 if REAL else 0.15
"""From there to the end of the round."""
TIMEOUT_S = 240.0 if REAL else 60.0
SURVIVAL_S = 2.0
"""Longest that a worker may outlive the daemon."""
KNOWN = {"state.json", "lock", "reservoir.npz", "bundles", "staging"}
FIRST_MS, STEP_MS = 512.5, 200.0
"""Ends of the first prediction, and of each one after that."""


@dataclass
class Run:
    """A daemon on its way through the recording, and what can be seen of it."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    """Of the store."""
    home: Path
    """With what the daemon says, and its socket."""
    before: StoreState
    """What was stored when it began."""
    leftovers: dict[Path, int]
    """What the daemon before it left, and does not belong there."""
    workers: set[int] = field(default_factory=set)
    """Those that were killed."""

    @property
    def said(self) -> bytes:
        """All whole lines that it has written; the last one may have been cut off."""
        output = (self.home / "said").read_bytes()
        return output[: output.rfind(b"\n") + 1]

    @property
    def worker(self) -> int | None:
        """The process that learns, if one runs that was not killed yet."""
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in map(int, path.read_text().split()):
                    if child not in self.workers and is_alive(child):
                        return child
        return None

    def greeted(self) -> bool:
        return b'"type":"hello"' in self.said

    def begun(self) -> bool:
        return self.worker is not None

    def writing(self) -> bool:
        return any(self.folder.glob("staging/*/*"))

    def written(self) -> bool:
        return any(self.folder.glob("staging/*/manifest.json"))

    def moved(self) -> bool:
        old = {version.folder for version in self.before.versions}
        return bool(names(self.folder / "bundles") - old)

    def decided(self) -> bool:
        with contextlib.suppress(ValueError):
            history = stored(self.folder).history
            return history != self.before.history
        return False


@dataclass(frozen=True)
class Moment:
    """An instant to kill at: some time after something can be seen."""

    name: str
    seen: Callable[[Run], bool]
    within: float
    """Longest wait from then on, seconds."""
    order: bool = False
    """Whether a rollback is asked for at that time."""


IN_A_ROUND = (
    Moment("the worker imports or learns", Run.begun, ROUND_S),
    Moment("the candidate is written", Run.writing, 0.05),
    Moment("the evidence is given", Run.written, EVIDENCE_S),
)
MOMENTS = (
    Moment("start", lambda run: True, 0.7),
    Moment("hearing", Run.greeted, 0.3),
    *IN_A_ROUND,
    # Acceptance lets through what the real one learnt, or it does not.
    *(() if REAL else (Moment("a version is moved and stored", Run.moved, 0.01),)),
    Moment("swap and what follows", Run.decided, 0.1),
    Moment("an order", Run.greeted, 0.3, order=True),
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def stored(folder: Path) -> StoreState:
    return read_store(folder) or StoreState(BASE.sha256)


def written(entry: Entry) -> str:
    """As it stands in the file, where NaN, too, is equal to itself."""
    return json.dumps(entry.to_dict())


def new_entries(run: Run, state: StoreState) -> list[Entry]:
    return [one for one in state.history if one.number >= run.before.next_number]


def strangers(folder: Path, state: StoreState) -> dict[Path, int]:
    """What lies in the store and nothing refers to, with its inode."""
    kept = {version.folder for version in state.versions}
    paths = (
        *(folder / name for name in names(folder) - KNOWN),
        *(folder / "staging" / name for name in names(folder / "staging")),
        *(folder / "bundles" / name for name in names(folder / "bundles") - kept),
    )
    return {path: path.stat().st_ino for path in paths}


@contextlib.contextmanager
def started(
    recording: Path, state_home: Path, leftovers: dict[Path, int]
) -> Iterator[Run]:
    folder = adaptation_folder(BASE, state_home / "ser-stream" / "adaptation")
    # Not pytest's folder: a socket's path has to be short.
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        listen = ["listen", "--input", str(recording), "--pace", "fast", "--adapt"]
        often = ["--set", "adapt.every_s=10", "--set", "adapt.keep_speech=true"]
        to = ["--to", "stdout:", "--to", f"unix://{home / 'd.sock'}"]
        before = stored(folder)
        with (home / "said").open("wb") as said, (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *listen, *often, *to],
                stdout=said,
                stderr=log,
                env={
                    **ENVIRONMENT,
                    "XDG_STATE_HOME": str(state_home),
                    "TMPDIR": str(state_home.parent / "tmp"),
                    "TINY_CHILD": json.dumps(WORKER),
                },
            )
        try:
            yield Run(process, folder, home, before, leftovers)
        finally:
            process.kill()
            process.wait(120)


def come(run: Run, moment: Moment) -> bool:
    """Wait for it; whether it came before the recording was over."""
    deadline = time.monotonic() + TIMEOUT_S
    while not moment.seen(run):
        if run.process.poll() is not None:
            return False
        assert time.monotonic() < deadline, (moment.name, run.said[-500:])
        time.sleep(0.001)
    return True


def alive(state_home: Path) -> list[int]:
    """The processes that are of a daemon with this state, and its workers."""
    mark = f"XDG_STATE_HOME={state_home}\0".encode()
    result = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                result.append(int(path.parent.name))
    return result


def ask(run: Run, order: str) -> None:
    """Send a request that may get no answer."""

    def give() -> None:
        with contextlib.suppress(SerStreamError, OSError):
            control(order, run.home / "d.sock")

    threading.Thread(target=give, daemon=True).start()


def check_said(run: Run, state: StoreState) -> int:
    """What it told is so, and it left nothing out; how many predictions it made."""
    log = (run.home / "log").read_text()
    assert "Traceback" not in log, log
    assert "adaptation has stopped" not in log, log
    assert "begins with no stored windows" not in log, log
    said = messages(run.said)
    hellos = [m["model"] for m in said if m["type"] == "hello"]
    if hellos:
        assert hellos[0]["sha256"] == run.before.active
        assert hellos[0]["adapted"] == (run.before.active != BASE.sha256)
    ends = [m["end_ms"] for m in said if m["type"] == "prediction"]
    assert ends == [FIRST_MS + STEP_MS * i for i in range(len(ends))]
    # What was told outlasts the kill; not all that is stored may have been told.
    told = [m for m in said if m["type"] == "adaptation" and m["phase"] != "started"]
    new = new_entries(run, state)
    for message, entry in zip(told, new, strict=False):
        phase = "rolled_back" if entry.phase == "reset" else entry.phase
        assert message["phase"] == phase
        assert phase == "rejected" or message["bundle"] == entry.bundle
    assert len(told) <= len(new)
    return len(ends)


def check_stored(folder: Path, before: StoreState) -> StoreState:
    """The history goes on where it was, and the version that it names is there."""
    state = stored(folder)
    numbers = [entry.number for entry in state.history[-KEPT_ENTRIES:]]
    end = state.next_number
    assert numbers == list(range(max(1, end - KEPT_ENTRIES), end))
    if any(
        entry.phase == "reset"
        for entry in state.history
        if entry.number >= before.next_number
    ):
        # Which erases what entries tell of the speech, and nothing else.
        before = before.forgetting()
    known = {entry.number: written(entry) for entry in before.history}
    now = {entry.number: written(entry) for entry in state.history}
    assert {n: now[n] for n in now.keys() & known} == {
        n: known[n] for n in now.keys() & known
    }
    assert state.next_number >= before.next_number
    line: list[str | None] = []
    for entry in state.history:
        if entry.phase == "accepted":
            line = [*line, entry.bundle][-KEPT_VERSIONS:]
        elif entry.phase == "reset":
            line = []
        elif entry.phase == "rolled_back":
            while line and line[-1] != entry.bundle:
                line.pop()
    assert [version.sha256 for version in state.versions] == line
    decided = [entry for entry in state.history if entry.phase != "rejected"]
    assert state.active == (decided[-1].bundle if decided else BASE.sha256)
    for version in state.versions:
        bundle = load_bundle(str(folder / "bundles" / version.folder))
        assert bundle.sha256 == version.sha256
    if state.versions:
        recognizer = OnnxRecognizer(bundle)
        frames = np.zeros(
            (bundle.geometry.cold_frames + 8, bundle.front_end.n_features), np.float32
        )
        scores = recognizer.scores(recognizer.encode(frames, None)[0])
        assert scores.sum() == pytest.approx(1, abs=1e-4)
    # The stored windows are whole, or not there.
    Reservoir.load(folder / "reservoir.npz", len(BASE.labels))
    return state


def check_gone(state_home: Path) -> None:
    deadline = time.monotonic() + SURVIVAL_S
    while left := alive(state_home):
        assert time.monotonic() < deadline, [
            Path(f"/proc/{pid}/cmdline").read_bytes()[:200] for pid in left
        ]
        time.sleep(0.01)
    # torch makes an empty folder of this name wherever it is imported.
    assert names(state_home.parent / "tmp") <= {f"torchinductor_{getpass.getuser()}"}


@pytest.fixture(scope="module")
def talk(
    clips: dict[str, FloatArray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A minute of speech, in which a daemon that remembers some has five rounds."""
    folder = tmp_path_factory.mktemp("talk")
    return write_talk(clips.values(), folder / "talk.wav")


@dataclass
class Killer:
    """Starts daemons on the same state, kills, and looks at what is left."""

    talk: Path
    state_home: Path
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    leftovers: dict[Path, int] = field(default_factory=dict)

    def the_daemon(self, moment: Moment) -> None:
        """Kill it at that moment, alone or with its worker."""
        for _ in range(3):
            with started(self.talk, self.state_home, self.leftovers) as run:
                came = come(run, moment) and self._wait(run, moment)
                worker = run.worker
                victims = [run.process.pid]
                if came and worker is not None and self.dice.random() < 0.5:
                    victims.insert(self.dice.randrange(2), worker)
                if came:
                    struck = [kill(pid) for pid in victims]
                    run.process.wait(120)
                self._look(run, whole=not came)
            if came:
                self._count(moment, "daemon" if sum(struck) == 1 else "both")
                return
        raise AssertionError(f"it never came to this: {moment.name}")

    def the_workers(self, count: int) -> int:
        """Kill `count` of one daemon's, which goes on to its end; how many it had."""
        with started(self.talk, self.state_home, self.leftovers) as run:
            killed = 0
            while killed < count:
                moment = self.dice.choice(IN_A_ROUND)
                if not come(run, moment):
                    break
                time.sleep(self.dice.uniform(0, moment.within / 2))
                worker = run.worker
                if worker is not None and kill(worker):
                    run.workers.add(worker)
                    self._count(moment, "worker")
                    killed += 1
            assert run.process.wait(TIMEOUT_S) == 0, (run.home / "log").read_text()
            state = self._look(run, whole=True)
            assert not strangers(run.folder, state)
            reasons = [entry.reason for entry in new_entries(run, state)]
            assert reasons.count("the worker was killed (signal 9)") <= killed
        return killed

    def nobody(self) -> None:
        """Start one more, and end it in order."""
        with started(self.talk, self.state_home, self.leftovers) as run:
            assert come(run, Moment("hello", Run.greeted, 0))
            run.process.terminate()
            assert run.process.wait(120) == 0, (run.home / "log").read_text()
            state = self._look(run)
            assert messages(run.said)[-1] == {"type": "bye", "reason": "shutdown"}
            assert not strangers(run.folder, state)

    def _wait(self, run: Run, moment: Moment) -> bool:
        if moment.order:
            ask(run, self.dice.choice(["adapt.rollback"] * 3 + ["adapt.reset"]))
        wait = self.dice.uniform(0, moment.within)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.process.wait(wait)
        return run.process.poll() is None

    def _look(self, run: Run, whole: bool = False) -> StoreState:
        check_gone(self.state_home)
        state = check_stored(run.folder, run.before)
        n = check_said(run, state)
        if whole:
            assert messages(run.said)[-1] == {"type": "bye", "reason": "shutdown"}
            length_ms = 1000 * soundfile.info(self.talk).duration
            assert n == 1 + (length_ms - FIRST_MS) // STEP_MS
        self.leftovers = strangers(run.folder, state)
        if run.greeted():
            # It has cleared away what the one before left behind.
            assert not self.leftovers.items() & run.leftovers.items()
        for path in self.leftovers:
            where = path.parent.name if path.parent != run.folder else path.name[:6]
            self.counts[f"left: {where}"] += 1
        self.counts.update(entry.phase for entry in new_entries(run, state))
        return state

    def _count(self, moment: Moment, victim: str) -> None:
        self.counts.update(["kills", f"killed: {victim}", f"at: {moment.name}"])
        _LOGGER.info("%s killed: %s", victim, moment.name)


def kill(pid: int) -> bool:
    """Kill it; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(60 + KILLS * (90 if REAL else 10))
def test_killed_at_any_instant_a_good_version_and_its_history_are_left(
    talk: Path, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    if not REAL:
        # So that every version that is accepted has an old one cleared away.
        folder = adaptation_folder(BASE, tmp_path / "state" / "ser-stream/adaptation")
        with Store.open(folder, BASE) as store:
            for number in range(KEPT_VERSIONS):
                store.accept(stage(store, number), "to begin with", {})
    killer = Killer(talk, tmp_path / "state", random.Random(SEED))
    while killer.counts["kills"] < KILLS:
        # The workers alone; then all kinds of moments, each time in another order.
        killer.the_workers(2)
        for moment in killer.dice.sample(MOMENTS, len(MOMENTS)):
            if killer.counts["kills"] < KILLS:
                killer.the_daemon(moment)
    killer.nobody()
    _LOGGER.info("%s", dict(sorted(killer.counts.items())))
