"""The adapter with a real store and real child processes, as the daemon runs it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_stream.adaptation.adapter import Adapter
from ser_stream.adaptation.child_process import RoundRunner
from ser_stream.adaptation.pack import load_pack
from ser_stream.adaptation.reservoir import LEAST_WINDOWS, Reservoir
from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.adaptation.versions.store import Store, read_store
from ser_stream.adaptation.window_queue import MOST_WAITING, WindowQueue
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.values import SpeechWindow
from tests.helpers.speech_windows import heard_minutes
from tests.helpers.tiny_child import is_alive, tiny_rounds

SLEEP = "time.sleep(600)"
BASE = load_bundle("open")


@dataclass
class Told:
    """What the worker was asked to do and to say, in order."""

    phases: list[tuple[str, str]] = field(default_factory=list)
    installed: list[Bundle] = field(default_factory=list)
    refuse: Exception | None = None

    def install(self, bundle: Bundle, phase: str, reason: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.installed.append(bundle)
        self.phases.append((phase, reason))

    def publish(self, phase: str, reason: str, _sha256: str) -> None:
        self.phases.append((phase, reason))

    def names(self) -> list[str]:
        return [phase for phase, _ in self.phases]


Make = Callable[..., Adapter]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", BASE) as store:
        yield store


@pytest.fixture
def make(store: Store, told: Told) -> Iterator[Make]:
    made: list[Adapter] = []

    def make(runner: RoundRunner, live: bool = False, **settings: Any) -> Adapter:
        config = AdaptConfig(enabled=True, **{"every_s": 40.0, **settings})
        pack = load_pack(BASE.folder / "adaptation", BASE)
        adapter = Adapter(
            *(config, store, pack),
            install=told.install,
            publish=told.publish,
            live=live,
            runner=runner,
        )
        made.append(adapter)
        adapter.start()
        return adapter

    yield make
    for adapter in made:
        adapter.close()
    names = {thread.name for thread in threading.enumerate()}
    assert names.isdisjoint({"adaptation", "adaptation-round"})


def add_all(adapter: Adapter, windows: list[SpeechWindow]) -> None:
    """As the worker does with a recording."""
    for window in windows:
        adapter.add_window(window)
        while adapter.must_wait(0.5):
            pass


def begin(adapter: Adapter, minutes: int = 2) -> None:
    """Feed windows until a round runs, and do not wait for it."""
    for window in heard_minutes(minutes):
        adapter.add_window(window)
        deadline = time.monotonic() + 120
        while adapter.must_wait(0.01) and adapter.status()["state"] != "round":
            assert time.monotonic() < deadline
        if adapter.status()["state"] == "round":
            return
    pytest.fail("no round began")


def child_of(adapter: Adapter) -> int:
    """The process of the round that runs, once it has its job."""
    deadline = time.monotonic() + 120
    while adapter.status()["round"]["progress"] < 0.5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (pid,) = (
        int(pid)
        for path in Path("/proc/self/task").glob("*/children")
        for pid in path.read_text().split()
    )
    return pid


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_enough_speech_brings_a_round_and_the_version_takes_over(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    assert told.names() == ["started", "accepted"]
    assert told.phases[0][1] == "round 1, with 40 windows of speech"
    assert told.phases[1][1].startswith("canary recall 80.0 % to 81.0 %")
    assert store.current is not None
    assert [bundle.sha256 for bundle in told.installed] == [store.current.sha256]
    status = adapter.status()
    assert (status["state"], status["adapted"]) == ("waiting", True)
    assert status["bundle"] == store.current.sha256
    assert status["rounds"] == {"accepted": 1, "rejected": 0, "rolled_back": 0}
    assert status["reservoir"]["heard"] == LEAST_WINDOWS
    assert status["new_speech_s"] == 0.0
    assert adapter.history()[0]["evidence"]["pack"] == store.history[0].evidence["pack"]


def test_the_next_round_grows_from_the_version_before(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(4)[: 2 * LEAST_WINDOWS])
    assert told.names() == ["started", "accepted"] * 2
    first, second = told.installed
    assert second.manifest["adaptation"]["parent"] == first.sha256
    # Both score alike, since nothing was learnt.
    assert adapter.status()["watch"]["windows"] == 0
    add_all(adapter, heard_minutes(1))
    watch = adapter.status()["watch"]
    assert (watch["windows"], watch["agreement"]) == (26, 1.0)
    assert store.history[-1].phase == "accepted"


def test_a_rejected_candidate_changes_nothing(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds(canary_uar_after=0.6))
    add_all(adapter, heard_minutes(2))
    assert told.names() == ["started", "rejected"]
    assert "canary recall falls from 80.0 % to 60.0 %" in told.phases[1][1]
    assert store.current is None
    assert told.installed == []
    assert store.history[-1].evidence["canary_uar_after"] == 0.6


def test_after_rounds_in_vain_more_speech_is_waited_for(make: Make) -> None:
    adapter = make(tiny_rounds("sys.exit(3)"))
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    waits = []
    for _ in range(5):
        waits.append(adapter.status()["every_s"])
        adapter.now()
        while adapter.must_wait(0.5):
            pass
    assert waits == [40, 80, 160, 320, 320]


def test_a_child_that_is_killed_costs_one_round(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds(SLEEP))
    begin(adapter)
    os.kill(child_of(adapter), signal.SIGKILL)
    while adapter.must_wait(0.5):
        pass
    assert told.phases[-1] == ("rejected", "the worker was killed (signal 9)")
    assert store.history[-1].reason == "the worker was killed (signal 9)"
    assert adapter.status()["state"] == "waiting"
    add_all(adapter, heard_minutes(1))
    assert adapter.status()["reservoir"]["heard"] > LEAST_WINDOWS


def test_a_candidate_that_is_no_bundle_is_rejected(
    make: Make, told: Told, store: Store
) -> None:
    spoiled = (
        "import atexit; atexit.register("
        "lambda: (pathlib.Path(job['out']) / 'head.onnx').write_bytes(b'torn'))"
    )
    adapter = make(tiny_rounds(spoiled))
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    assert told.names() == ["started", "rejected"]
    assert "head.onnx was changed or damaged" in told.phases[-1][1]
    assert store.current is None


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (lambda adapter: adapter.freeze(True), "adaptation was frozen"),
        (lambda adapter: adapter.reset(), "everything was reset"),
        (lambda adapter: adapter.close(), "the daemon ended"),
    ],
)
def test_an_order_ends_the_round_that_runs_at_once(
    make: Make,
    store: Store,
    order: Callable[[Adapter], object],
    reason: str,
) -> None:
    adapter = make(tiny_rounds(SLEEP))
    begin(adapter)
    pid = child_of(adapter)
    asked = time.monotonic()
    order(adapter)
    # It would have slept for longer.
    assert time.monotonic() - asked < 300
    assert not is_alive(pid)
    assert store.history[0].phase == "rejected"
    assert store.history[0].reason == reason
    assert not list((store.folder / "staging").glob("*"))


def test_a_rollback_while_a_round_runs_makes_that_one_stale(
    make: Make, told: Told, store: Store, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    adapter = make(
        tiny_rounds(
            f"mark = pathlib.Path({str(second)!r})\n"
            "time.sleep(600) if mark.exists() else mark.touch()"
        )
    )
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    assert store.current is not None
    begin(adapter)
    entry = adapter.rollback()
    assert (entry["phase"], entry["bundle"]) == ("rolled_back", BASE.sha256)
    phases = [entry.phase for entry in store.history]
    assert phases == ["accepted", "rejected", "rolled_back"]
    assert store.history[1].reason == "the version it began from was rolled back"
    assert told.installed[-1].sha256 == BASE.sha256
    assert adapter.status()["watch"] is None
    with pytest.raises(ConfigError, match="there is nothing to roll back"):
        adapter.rollback()


def test_a_version_that_does_harm_is_rolled_back_by_itself(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds(), every_s=400.0)
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    adapter.now()
    while adapter.must_wait(0.5):
        pass
    assert store.state.versions
    # As a version says that has collapsed.
    one = np.array([0.9, 0.04, 0.02, 0.02, 0.02], np.float32)
    for window in heard_minutes(2):
        add_all(adapter, [SpeechWindow(window.frames, one, window.end, window.turn)])
    assert told.names() == ["started", "accepted", "rolled_back"]
    assert (
        "of the last 40 windows are called what the version before"
        in (told.phases[-1][1])
    )
    assert store.current is None
    assert told.installed[-1].sha256 == BASE.sha256
    assert adapter.status()["adapted"] is False


def test_a_frozen_version_that_does_harm_is_rolled_back_too(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    adapter.freeze(True)
    one = np.array([0.9, 0.04, 0.02, 0.02, 0.02], np.float32)
    for window in heard_minutes(2):
        add_all(adapter, [SpeechWindow(window.frames, one, window.end, window.turn)])
    assert told.names() == ["started", "accepted", "rolled_back"]
    assert (store.current, store.frozen) == (None, True)
    assert adapter.status()["state"] == "frozen"


def test_it_goes_back_in_memory_where_the_disk_is_full(
    make: Make, told: Told, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make(tiny_rounds(), every_s=400.0)
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    adapter.now()
    while adapter.must_wait(0.5):
        pass

    def full(*_: object) -> None:
        raise ConfigError("no space left")

    monkeypatch.setattr(store, "_write", full)
    one = np.array([0.9, 0.04, 0.02, 0.02, 0.02], np.float32)
    for window in heard_minutes(2):
        add_all(adapter, [SpeechWindow(window.frames, one, window.end, window.turn)])
    assert told.names()[-1] == "rolled_back"
    assert told.installed[-1].sha256 == adapter.status()["bundle"] == BASE.sha256
    assert adapter.status()["state"] == "waiting"


def test_what_it_went_back_from_on_a_full_disk_does_not_return(
    make: Make, told: Told, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(4)[: 2 * LEAST_WINDOWS])
    first, second = told.installed
    adapter.freeze(True)
    one = np.array([0.9, 0.04, 0.02, 0.02, 0.02], np.float32)
    collapsed = [SpeechWindow(w.frames, one, w.end, w.turn) for w in heard_minutes(2)]

    def full(*_: object) -> None:
        raise ConfigError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", full)
        while told.names()[-1] != "rolled_back":
            add_all(adapter, [collapsed.pop()])
        assert told.installed[-1].sha256 == first.sha256 == store.state.active
        # It is watched, too, against what it would go back to.
        watched = adapter.status()["watch"]
        assert watched is not None
        stored = read_store(store.folder)
        assert stored is not None
        assert stored.active == second.sha256
    add_all(adapter, [collapsed.pop()])
    assert read_store(store.folder) == store.state
    assert adapter.rollback()["bundle"] == BASE.sha256
    assert told.installed[-1].sha256 == BASE.sha256


def test_what_cannot_take_over_on_a_full_disk_does_not_return(
    make: Make, told: Told, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ConfigError("no space left")

    patch = pytest.MonkeyPatch()

    def fill_and_refuse(*_: object) -> None:
        patch.setattr(store, "_write", full)
        raise SerStreamError("it hangs")

    monkeypatch.setattr(told, "install", fill_and_refuse)
    adapter = make(tiny_rounds())
    windows = heard_minutes(2)
    add_all(adapter, windows[:LEAST_WINDOWS])
    assert told.names() == ["started", "rejected"]
    assert adapter.status()["bundle"] == store.state.active == BASE.sha256
    patch.undo()
    add_all(adapter, [windows[LEAST_WINDOWS]])
    assert read_store(store.folder) == store.state


def test_a_version_that_cannot_take_over_is_not_kept(
    make: Make, told: Told, store: Store
) -> None:
    told.refuse = SerStreamError("the daemon has not come to it")
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    assert told.names() == ["started", "rejected"]
    assert told.phases[-1][1].endswith("could not take over: " + str(told.refuse))
    assert store.current is None
    assert adapter.status()["adapted"] is False


def test_a_rollback_that_the_worker_does_not_follow_is_tried_again(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(4)[: 2 * LEAST_WINDOWS])
    first, second = told.installed
    told.refuse = SerStreamError("it hangs")
    with pytest.raises(SerStreamError, match="now that cannot be done: it hangs"):
        adapter.rollback()
    assert adapter.status()["bundle"] == second.sha256
    told.refuse = None
    adapter.rollback()
    assert adapter.status()["bundle"] == store.state.active == first.sha256
    # The active version is watched again, against the model as it came.
    assert adapter.status()["watch"] == {"windows": 0}


def test_a_fault_of_our_own_ends_adaptation_and_nothing_else(
    make: Make, told: Told, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    told.refuse = RuntimeError("a bug")
    adapter = make(tiny_rounds())
    add_all(adapter, heard_minutes(3))
    wait_for(lambda: adapter.status()["state"] == "failed")
    assert adapter.status()["detail"] == "a bug"
    assert store.current is None
    assert "adaptation has stopped, the daemon goes on: a bug" in caplog.text
    assert not adapter.must_wait(0.0)
    with pytest.raises(ConfigError, match="adaptation has stopped: a bug"):
        adapter.now()


def test_frozen_it_listens_and_learns_nothing(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds())
    assert adapter.freeze(True) == {"frozen": True}
    add_all(adapter, heard_minutes(2))
    assert told.names() == []
    assert adapter.status()["state"] == "frozen"
    with pytest.raises(ConfigError, match="adaptation is frozen"):
        adapter.now()
    assert store.frozen
    adapter.freeze(False)
    add_all(adapter, heard_minutes(1)[:1])
    assert told.names() == ["started", "accepted"]


def test_a_round_is_refused_where_it_makes_no_sense(make: Make) -> None:
    adapter = make(tiny_rounds(SLEEP), every_s=400.0)
    add_all(adapter, heard_minutes(1)[:12])
    with pytest.raises(ConfigError, match="12 s are kept, and a round needs 40"):
        adapter.now()
    add_all(adapter, heard_minutes(2))
    assert adapter.now() == {"started": True, "round": 1, "windows": 64}
    with pytest.raises(ConfigError, match="round 1 runs"):
        adapter.now()


def test_reset_erases_stored_windows_and_versions(
    make: Make, told: Told, store: Store
) -> None:
    adapter = make(tiny_rounds(), keep_speech=True)
    add_all(adapter, heard_minutes(2)[:LEAST_WINDOWS])
    assert len(Reservoir.load(store.reservoir_path, 5)) == LEAST_WINDOWS
    assert adapter.reset()["phase"] == "reset"
    assert told.names()[-1] == "rolled_back"
    assert not store.reservoir_path.exists()
    assert not list((store.folder / "bundles").glob("*"))
    status = adapter.status()
    assert (status["adapted"], status["reservoir"]["windows"]) == (False, 0)


def test_speech_outlasts_a_restart_only_if_asked_for(
    make: Make, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = make(tiny_rounds(), keep_speech=True)
    add_all(adapter, heard_minutes(1))
    adapter.close()
    again = make(tiny_rounds(), keep_speech=True)
    assert again.status()["reservoir"]["windows"] == 26
    again.close()
    store.reservoir_path.write_bytes(b"torn")
    torn = make(tiny_rounds(), keep_speech=True)
    assert torn.status()["reservoir"]["windows"] == 0
    assert "adaptation begins with no stored windows" in caplog.text
    torn.close()
    # And what was kept for the model before an update.
    before = store.folder.parent / f"open-{'0' * 12}" / "reservoir.npz"
    before.parent.mkdir()
    before.write_bytes(store.reservoir_path.read_bytes())
    make(tiny_rounds())
    assert not store.reservoir_path.exists()
    assert not before.exists()


def test_live_audio_never_waits_and_what_is_too_much_is_counted() -> None:
    inbox, (window, *_) = WindowQueue(live=True), heard_minutes(1)
    for _ in range(MOST_WAITING + 5):
        inbox.put(0, window)
    assert inbox.dropped == 5
    assert inbox.next() == (0, window)
    inbox.put(0, window)
    assert inbox.dropped == 5
    inbox.close()
    assert inbox.next() is None


def test_live_audio_goes_on_while_a_round_runs(make: Make) -> None:
    adapter = make(tiny_rounds(SLEEP), live=True)
    windows = heard_minutes(2)
    for window in windows[:LEAST_WINDOWS]:
        adapter.add_window(window)
        wait_for(lambda: not adapter._inbox._waiting)
    wait_for(lambda: adapter.status()["state"] == "round")
    asked = time.monotonic()
    for window in windows[LEAST_WINDOWS:]:
        adapter.add_window(window)
        assert not adapter.must_wait(300.0)
    assert time.monotonic() - asked < 300
    wait_for(lambda: adapter.status()["reservoir"]["heard"] == len(windows))
    assert adapter.status()["reservoir"]["dropped"] == 0
