"""What adaptation leaves on disk: the last good version and its history, always."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_stream.adaptation.versions.state import (
    KEPT_ENTRIES,
    Entry,
    StoreState,
    Version,
)
from ser_stream.adaptation.versions.state_file import need_room
from ser_stream.adaptation.versions.store import Store, adaptation_folder, read_store
from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError, ModelError
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from tests.helpers.adaptation_store import (
    save_reservoir,
    stage,
    tiny_base,
    write_manifest,
)
from tests.helpers.paths import OPEN, ROOT
from tests.helpers.small_disk import mounted

KILLS = int(os.environ.get("STORE_KILLS", "10"))
"""More of them by hand: STORE_KILLS=100."""


@pytest.fixture
def base(tmp_path: Path) -> Bundle:
    return tiny_base(tmp_path / "base")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def memory(folder: Path) -> Iterator[Path]:
    """A folder that needs no disk; a killed process cannot tell the difference."""
    if not os.access("/dev/shm", os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name) / "state"


def accept(store: Store, what: object) -> str:
    """Put a candidate into force; its SHA-256."""
    entry = store.accept(stage(store, what), "better", {"what": what})
    assert entry.bundle is not None
    return entry.bundle


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def phases(store: Store) -> list[str]:
    return [entry.phase for entry in store.history]


def test_what_was_accepted_is_active_and_after_a_restart_too(folder: Path) -> None:
    base = load_bundle(str(OPEN))
    with Store.open(folder, base) as store:
        assert store.state == StoreState(base.sha256)
        staged = stage(store)
        entry = store.accept(staged, "better", {"canary_uar_after": 0.61})
        assert store.current is not None
        assert entry.bundle == store.current.sha256
        assert not staged.exists()
    with Store.open(folder, base) as store:
        assert store.current is not None
        assert store.current.sha256 == entry.bundle
        assert store.current.adapted
        assert OnnxRecognizer(store.current).labels == base.labels
        assert store.history == (entry,)
        assert (entry.number, entry.phase) == (1, "accepted")
        assert entry.evidence == {"canary_uar_after": 0.61}


def test_back_goes_to_the_predecessors_one_by_one_and_then_to_the_base(
    folder: Path, base: Bundle
) -> None:
    with Store.open(folder, base) as store:
        versions = [accept(store, number) for number in range(5)]
        assert len(names(folder / "bundles")) == 3
        for expected in [versions[3], versions[2], None]:
            assert (store.previous and store.previous.sha256) == expected
            entry = store.rollback("it got worse")
            assert entry.bundle == (expected or base.sha256)
            assert (store.current and store.current.sha256) == expected
        with pytest.raises(ConfigError, match="nothing to roll back"):
            store.rollback("again")
        assert names(folder / "bundles") == set()
        assert phases(store) == ["accepted"] * 5 + ["rolled_back"] * 3
    with Store.open(folder, base) as store:
        assert store.current is None
        accept(store, "once more")


def test_what_was_rejected_is_gone_but_for_its_entry(
    folder: Path, base: Bundle
) -> None:
    with Store.open(folder, base) as store:
        candidate = load_bundle(str(stage(store))).sha256
        assert store.reject("a class\nwas lost", {"share": 0.9}).bundle == candidate
        store.staging()
        entry = store.reject("the worker was killed (signal 9)")
        assert entry.bundle is None
        assert names(folder / "staging") == names(folder / "bundles") == set()
        assert [one.reason for one in store.history] == [
            "a class was lost",
            "the worker was killed (signal 9)",
        ]
        assert store.current is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"adapted": False}, "not say that it is adapted"),
        ({"labels": ["angry", "sad"]}, "other labels"),
        ({"adaptation": {"parent": "0" * 64}}, "grew from version 000000000000"),
        ({"adaptation": None}, "grew from version None"),
    ],
)
def test_a_candidate_that_may_not_follow_is_refused_and_nothing_changes(
    folder: Path, base: Bundle, changes: dict[str, Any], reason: str
) -> None:
    with Store.open(folder, base) as store:
        first = accept(store, "first")
        staged = stage(store, **changes)
        with pytest.raises(ModelError, match=reason):
            store.accept(staged, "better", {})
        assert store.state.active == first
        assert phases(store) == ["accepted"]
        assert store.reject("it may not follow").phase == "rejected"


def test_a_candidate_that_is_not_whole_is_refused(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:
        staged = stage(store)
        (staged / HEAD).write_bytes(b"half")
        with pytest.raises(ModelError, match="changed or damaged"):
            store.accept(staged, "better", {})
        assert store.reject("damaged").bundle is None


def _cut(path: Path) -> None:
    (path / ENCODER).write_bytes(b"")


def _exchange(path: Path) -> None:
    write_manifest(path, clip_temperature=0.5)


@pytest.mark.parametrize("damage", [_cut, shutil.rmtree, _exchange])
def test_a_damaged_version_gives_way_to_the_one_before(
    folder: Path, base: Bundle, damage: Any
) -> None:
    with Store.open(folder, base) as store:
        first = accept(store, "first")
        accept(store, "second")
        assert store.current is not None
        damage(store.current.folder)
    with Store.open(folder, base) as store:
        assert store.current is not None
        assert store.current.sha256 == store.state.active == first
        assert store.history[-1].phase == "rolled_back"
        assert store.history[-1].bundle == first
        assert "version 000002-" in store.history[-1].reason
        assert names(folder / "bundles") == {store.current.folder.name}
        damage(store.current.folder)
    with Store.open(folder, base) as store:
        assert store.current is None
        assert store.history[-1].bundle == base.sha256


def test_back_goes_over_a_damaged_predecessor(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:
        first = accept(store, "first")
        accept(store, "second")
        assert store.current is not None
        _cut(store.current.folder)
        accept(store, "third")
        entry = store.rollback("it got worse")
        assert entry.bundle == first
        assert entry.reason.startswith("it got worse; version 000002-")


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"version": "new"}',
        b'{"version": 1, "base": "", "frozen": 0, "versions": [], "history": []}',
        b'{"version": 1, "base": "", "frozen": false, "versions": [], "history": [1]}',
        b'{"version": 1, "base": "", "frozen": false, "history": [],'
        b' "versions": [{"folder": "../base", "sha256": ""}]}',
    ],
)
def test_a_damaged_state_is_moved_aside_and_the_history_says_so(
    folder: Path, base: Bundle, garbage: bytes
) -> None:
    with Store.open(folder, base) as store:
        versions = [accept(store, number) for number in range(4)]
        store.rollback("worse")
        first = accept(store, "again")
    (folder / "state.json").write_bytes(garbage)
    with pytest.raises(ConfigError, match=r"state\.json is damaged"):
        read_store(folder)
    with Store.open(folder, base) as store:
        # The versions say themselves what they are, and what they grew from.
        assert store.current is not None
        assert store.current.sha256 == first
        kept = [version.sha256 for version in store.state.versions]
        assert kept == [*versions[1:3], first]
        (entry,) = store.history
        assert (entry.number, entry.phase, entry.bundle) == (7, "rolled_back", first)
        assert "kept as state.json.damaged" in entry.reason
        # What cannot be told any more is taken to be as the user may have wanted it.
        assert store.frozen == (b"false" not in garbage)
        assert ("freeze --off" in entry.reason) == store.frozen
        accept(store, "anew")
        assert store.rollback("worse").bundle == first
        store.reset()
        assert not (folder / "state.json.damaged").exists()


def test_without_a_state_what_is_damaged_or_strange_is_no_version(
    folder: Path, base: Bundle
) -> None:
    with Store.open(folder, base) as store:
        first = accept(store, "first")
        accept(store, "second")
        store.freeze(True)
        assert store.current is not None
        _cut(store.current.folder)
        strange = stage(store, "strange", labels=["angry", "sad"])
        name = f"000009-{load_bundle(str(strange)).sha256[:12]}"
        shutil.copytree(strange, folder / "bundles" / name)
    state = (folder / "state.json").read_bytes()
    (folder / "state.json").write_bytes(state[: len(state) // 2])
    with Store.open(folder, base) as store:
        assert store.state.active == first
        assert store.frozen
        assert "freeze --off" not in store.history[-1].reason
    assert (folder / "state.json.damaged").exists()


def test_a_state_of_a_newer_version_is_refused_and_left_alone(
    folder: Path, base: Bundle
) -> None:
    with Store.open(folder, base) as store:
        accept(store, "first")
        stage(store)
    (folder / "state.json").write_text('{"version": 7, "news": "everything"}')
    before = contents(folder)
    for look in (lambda: Store.open(folder, base), lambda: read_store(folder)):
        with pytest.raises(ConfigError, match=r"state\.json is of version 7.*update"):
            look()
    assert contents(folder) == before


def test_the_store_of_another_model_is_refused(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:
        store.reject("only so that there is something")
    with pytest.raises(ConfigError, match="adaptation of another model"):
        Store.open(folder, load_bundle(str(OPEN)))


def test_two_daemons_do_not_share_a_store_but_anyone_may_read_it(
    folder: Path, base: Bundle
) -> None:
    with Store.open(folder, base) as store:
        with pytest.raises(ConfigError, match=r"another daemon.*adapt\.state"):
            Store.open(folder, base)
        assert read_store(folder) is None
        accept(store, "first")
        assert read_store(folder) == store.state
    Store.open(folder, base).close()
    assert (folder.stat().st_mode & 0o777) == 0o700


def test_a_reset_forgets_everything_but_the_history(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:
        accept(store, "first")
        stage(store)
        save_reservoir(store)
        store.freeze(True)
        assert store.reset().bundle == base.sha256
        assert store.current is None
        assert names(folder) == {"state.json", "lock", "bundles", "staging"}
        assert names(folder / "staging") == names(folder / "bundles") == set()
    with Store.open(folder, base) as store:
        assert phases(store) == ["accepted", "reset"]
        assert store.frozen
        store.freeze(False)
    with Store.open(folder, base) as store:
        assert not store.frozen


def test_a_reset_forgets_what_another_model_heard_but_not_a_daemon_that_runs(
    tmp_path: Path, base: Bundle
) -> None:
    before, running = (replace(base, sha256=f"{i}" * 64) for i in (1, 2))
    with Store.open(adaptation_folder(before, tmp_path), before) as store:
        accept(store, "first")
        save_reservoir(store)
        old = store.folder
        (old / ".part-1").write_bytes(b"what was heard")  # a kill left it
    mine = tmp_path / "my-recordings"
    mine.mkdir()
    (mine / "reservoir.npz").write_bytes(b"none of ours")
    with (
        Store.open(adaptation_folder(running, tmp_path), running) as other,
        Store.open(adaptation_folder(base, tmp_path), base) as store,
    ):
        save_reservoir(other)
        store.reset()
        assert other.reservoir_path.exists()
    assert names(old) == {"state.json", "lock", "bundles", "staging"}
    assert len(names(old / "bundles")) == 1
    assert names(mine) == {"reservoir.npz"}


def test_after_a_reset_nothing_tells_what_was_felt(folder: Path, base: Bundle) -> None:
    of_speech = {
        "reservoir_shares_before": [0.9, 0.1],
        "reservoir_entropy_base": 0.2,
        "agreement": 0.5,
        "agreement_base": 0.4,
    }
    with Store.open(folder, base) as store:
        store.reject("worse", {"canary_uar_after": 0.5, **of_speech})
        store.reset()
        assert store.history[0].evidence == {"canary_uar_after": 0.5}
    text = (folder / "state.json").read_text()
    assert not any(name in text for name in of_speech)


def test_the_history_is_bounded_and_keeps_why_the_version_is_active() -> None:
    state = StoreState("base").after(
        "accepted", "old", "a", versions=(Version("1", "a"),)
    )
    for number in range(KEPT_ENTRIES + 50):
        state = state.after("rejected", f"round {number}", None)
    assert len(state.history) == KEPT_ENTRIES + 1
    assert state.history[0].bundle == state.active == "a"
    assert state.history[-1].number == KEPT_ENTRIES + 51
    assert StoreState.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    assert len(state.after("reset", "", "base", versions=()).history) == KEPT_ENTRIES


def test_evidence_is_stored_as_plain_numbers(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:
        entry = store.reject(
            "it diverged",
            {
                "loss": float("nan"),
                "change": np.float32("inf"),
                "uar": np.float64(0.5),
                "shares": np.array([0.25, 0.75], np.float32),
            },
        )
    assert entry.evidence == {
        "loss": None,
        "change": None,
        "uar": 0.5,
        "shares": [0.25, 0.75],
    }
    assert json.loads((folder / "state.json").read_text())["history"] == [
        entry.to_dict()
    ]


def test_threads_may_share_it(folder: Path, base: Bundle) -> None:
    with Store.open(folder, base) as store:

        def reject() -> None:
            for _ in range(5):
                store.reject("worse")
                store.freeze(not store.frozen)

        threads = [threading.Thread(target=reject) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [entry.number for entry in store.history] == list(range(1, 21))
        assert read_store(folder) == store.state


def test_each_model_has_a_folder_of_its_own(
    base: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    name = f"open-{base.sha256[:12]}"
    assert adaptation_folder(base, tmp_path) == tmp_path / name
    assert adaptation_folder(base) == tmp_path / "xdg/ser-stream/adaptation" / name
    write_manifest(base.folder, name="../mine and yours/")
    odd = adaptation_folder(load_bundle(str(base.folder)), tmp_path)
    assert odd.parent == tmp_path
    assert odd.name.startswith(".._mine_and_yours_-")


def test_a_folder_that_cannot_be_made_is_told_in_one_line(
    tmp_path: Path, base: Bundle
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match=r"file/here cannot be written.*adapt\.state"):
        Store.open(tmp_path / "file" / "here", base)


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 128 KiB at `folder`."""
    with mounted(folder):
        yield folder


def fill(folder: Path) -> Path:
    """Write until nothing more fits."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("wb", 0) as file:
        while True:
            file.write(bytes(4096))
    return path


def test_on_a_full_disk_all_stays_as_it_was_and_goes_on_when_there_is_room(
    small_disk: Path, base: Bundle
) -> None:
    with Store.open(small_disk, base) as store:
        first = accept(store, "first")
        staged = stage(store, "second")
        filler = fill(small_disk)
        before = store.state
        for step in (
            lambda: store.accept(staged, "better", {}),
            lambda: store.rollback("worse"),
            lambda: store.freeze(True),
        ):
            with pytest.raises(ConfigError, match=r"No space left.*make room"):
                step()
            fill(small_disk)
            assert store.state == read_store(small_disk) == before
        assert store.current is not None
        assert load_bundle(str(store.current.folder)).sha256 == first
        assert not staged.exists()
        # That a round was rejected does no harm; it is written once there is room.
        with pytest.raises(ConfigError, match="No space left"):
            store.reject("worse")
        fill(small_disk)
        assert read_store(small_disk) == before
        assert phases(store) == ["accepted", "rejected"]
        filler.unlink()
        accept(store, "third")
    with Store.open(small_disk, base) as store:
        assert phases(store) == ["accepted", "rejected", "accepted"]
        assert len(names(small_disk / "bundles")) == 2


def test_a_step_back_that_must_be_is_written_once_there_is_room(
    small_disk: Path, base: Bundle
) -> None:
    with Store.open(small_disk, base) as store:
        first = accept(store, "first")
        accept(store, "second")
        before, filler = store.state, fill(small_disk)
        with pytest.raises(ConfigError, match="No space left"):
            store.rollback("it does harm", must=True)
        assert store.state.active == first
        assert store.current is not None
        assert store.current.sha256 == first
        fill(small_disk)
        with pytest.raises(ConfigError, match="No space left"):
            store.catch_up()
        # On disk all is as it was, and whole.
        assert read_store(small_disk) == before
        assert len(names(small_disk / "bundles")) == 2
        filler.unlink()
        assert store.catch_up()
        assert not store.catch_up()
        assert read_store(small_disk) == store.state
        assert len(names(small_disk / "bundles")) == 1
        accept(store, "third")
    with Store.open(small_disk, base) as store:
        assert phases(store) == ["accepted", "accepted", "rolled_back", "accepted"]


def test_without_room_for_a_candidate_no_round_begins(small_disk: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 0\.1 MB of room.*needs 10; make room"):
        need_room(small_disk)


def test_a_folder_that_is_read_only_is_told_and_can_still_be_read(
    small_disk: Path, base: Bundle
) -> None:
    with Store.open(small_disk, base) as store:
        accept(store, "first")
        state = store.state
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ConfigError, match=r"Read-only file system.*adapt\.state"):
        Store.open(small_disk, base)
    assert read_store(small_disk) == state


def after_a_kill(folder: Path, base: Bundle) -> StoreState:
    """Open what a killed process left, see that all is well, and take a step."""
    read_store(folder)  # no half a file
    with Store.open(folder, base) as store:
        state = store.state
        assert (store.current or base).sha256 == state.active
        numbers = [one.number for one in state.history[-KEPT_ENTRIES:]]
        end = state.next_number
        assert numbers == list(range(end - len(numbers), end))
        decided = [one for one in state.history if one.phase != "rejected"]
        assert state.active == (decided[-1].bundle if decided else base.sha256)
        for version in state.versions:
            path = folder / "bundles" / version.folder
            assert load_bundle(str(path)).sha256 == version.sha256
        assert names(folder / "bundles") == {one.folder for one in state.versions}
        assert not names(folder / "staging")
        expected = {"bundles", "staging", "state.json", "lock", "reservoir.npz"}
        assert names(folder) <= expected
        if state.history and state.history[-1].phase == "reset":
            assert not state.versions
        accept(store, "after the kill")
    return state


def run_helper(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.adaptation_store", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_at_random_instants_it_keeps_all_that_it_acknowledged(
    folder: Path, base: Bundle
) -> None:
    dice = random.Random(6)
    acknowledged: list[Entry] = []
    with run_helper("loop", folder, base.folder) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        for seed in range(KILLS):
            helper.stdin.write(f"{seed}\n")
            helper.stdin.flush()
            pid = int(helper.stdout.readline().removeprefix("began "))
            time.sleep(dice.uniform(0, 0.3))
            os.kill(pid, signal.SIGKILL)
            while (line := helper.stdout.readline()) != "ended\n":
                assert line, "the helper has ended"
                acknowledged.append(Entry.from_dict(json.loads(line)))
            state = after_a_kill(folder, base)
            # One more may be done than there was time to tell of.
            untold = state.next_number - 1 - len(acknowledged)
            assert untold in (0, 1)
            recent = state.history[-KEPT_ENTRIES:]
            told = recent[:-1] if untold else recent
            assert list(told) == acknowledged[len(acknowledged) - len(told) :]
            stored = read_store(folder)
            assert stored is not None
            acknowledged += stored.history[-1 - untold :]
        helper.stdin.close()
    assert len(acknowledged) > 2 * KILLS


@pytest.mark.parametrize(
    "step", ["accepted", "rejected", "rolled_back", "reset", "frozen", "open"]
)
def test_killed_before_anything_it_does_to_the_disk_a_step_is_done_or_it_is_not(
    memory: Path, base: Bundle, step: str
) -> None:
    start = memory / "0"
    with Store.open(start, base) as store:
        for number in range(3):
            accept(store, number)
        save_reservoir(store)
        before = store.state
        if step == "open":
            # What there is to do then: leftovers, and a version that is damaged.
            shutil.copytree(stage(store), start / "bundles" / "000009-orphan")
            replace_file(start / ".part-leftover", b"half")
            assert store.current is not None
            _cut(store.current.folder)
    with run_helper("sweep", memory, base.folder, step) as helper:
        assert helper.wait() == 0
    copies = [memory / str(count) for count in range(1, len(names(memory)))]
    done = []
    for copy in copies:
        done.append(read_store(copy) != before)
        # The stored windows are gone by the time that the history speaks of a reset.
        assert (copy / "reservoir.npz").exists() or step == "reset"
        assert not (done[-1] and step == "reset" and "reservoir.npz" in names(copy))
        state = after_a_kill(copy, base)
        if step == "frozen":
            assert state == replace(before, frozen=done[-1])
        elif step == "open":
            assert [one.phase for one in state.history[3:]] == ["rolled_back"]
        else:
            assert [one.phase for one in state.history[3:]] == [step] * done[-1]
    # Up to the instant that counts it is not done, from then on it is.
    assert done == sorted(done)
    assert done[-1]
    assert not done[0]
    assert len(copies) > 3
