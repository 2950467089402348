"""What survives a restart of the adaptation of one model: versions and history.

state.json   the versions, oldest first, and the history: what counts
bundles/     a folder for each version
staging/     the candidate of the round that runs
reservoir.npz  the stored windows, only with `adapt.keep_speech`
lock         held by the one daemon that adapts here

A step is done the moment `state.json` is replaced, and not before: what it names was
written out by then, and what it no longer names is removed only then. So after a power
cut or a kill at any instant, what lies here is the step before or the step after; the
rest is cleared away at the next opening.
"""

import os
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ser_stream.adaptation.versions.bundles import (
    clear,
    last_good,
    load_candidate,
    make_durable,
    remove,
)
from ser_stream.adaptation.versions.state import Entry, StoreState, Version
from ser_stream.adaptation.versions.state_file import (
    BUNDLES,
    DAMAGED,
    OTHER_FOLDER,
    STATE,
    claim,
    is_claimed,
    read_or_set_aside,
    read_state,
    unwritable,
    write_state,
)
from ser_stream.atomic_file import PART, sync_names
from ser_stream.errors import ConfigError, ModelError
from ser_stream.paths import state_folder
from ser_stream.pipeline.bundle import Bundle, load_bundle

_STAGING = "staging"
_RESERVOIR = "reservoir.npz"


def adaptation_folder(base: Bundle, given: Path | None = None) -> Path:
    """The folder of the store for `base`, among those of other models in `given`."""
    name = re.sub(r"[^\w.-]", "_", base.name, flags=re.ASCII)[:64]
    parent = given or state_folder() / "adaptation"
    return parent / f"{name}-{base.sha256[:12]}"


def windows_of_others(folder: Path) -> list[Path]:
    """Files with windows of speech that other models have left beside a store.

    What the model was before an update, or before another one was chosen. Also those
    that a kill left half written; none of a daemon that runs, which has them in memory.
    """
    found = []
    for other in folder.parent.glob("*-" + "[0-9a-f]" * 12):
        if other.name != folder.name and not is_claimed(other):
            found += [*other.glob(_RESERVOIR), *other.glob(f"{PART}*")]
    return found


def read_store(folder: Path) -> StoreState | None:
    """What is stored, read without disturbing a daemon; None if nothing is.

    Raises:
        ConfigError: if it is damaged, of a newer version, or cannot be read.
    """
    try:
        return read_state(folder / STATE)
    except ValueError as error:
        raise ConfigError(
            f"{folder / STATE} is damaged ({error}); the next daemon that adapts here "
            "moves it aside and goes on with the versions that are whole"
        ) from None


class Store:
    """The versions and the history of one model's adaptation; safe between threads.

    Whatever changes it raises ConfigError where the folder cannot be written (a full
    disk, say), and then nothing has changed on disk, nor, but for `reject` and a
    `rollback` that must be, here.
    """

    def __init__(
        self, folder: Path, base: Bundle, lock: int, state: StoreState
    ) -> None:
        """Only for `open`: with the lock held, and the state as it was read."""
        self.folder = folder
        self.base = base
        self.reservoir_path = folder / _RESERVOIR
        self._bundles = folder / BUNDLES
        self._lock = lock
        self.state = state
        self.current: Bundle | None = None
        """The active version, verified; None is the base."""
        self._turn = threading.RLock()
        self._behind = False  # whether the disk has an older state than this

    @classmethod
    def open(cls, folder: Path, base: Bundle) -> "Store":
        """Claim the folder, make it if need be, and find the last good version.

        What a killed round left is removed. A version that is missing or damaged is
        dropped for its predecessor; the history then has an entry more. A damaged
        `state.json` is moved aside, and a new history begins with the versions found.

        Raises:
            UnwritableError: if it cannot be written. Nothing is changed then.
            ConfigError: if another daemon adapts there, or a newer version of
                ser-stream or another model did; likewise.
        """
        lock = claim(folder)
        try:
            state, damage = read_or_set_aside(folder, base)
            if state.base != base.sha256:
                raise ConfigError(
                    f"{folder} has the adaptation of another model "
                    f"({state.base[:12]}, not {base.sha256[:12]}); {OTHER_FOLDER}"
                )
            store = cls(folder, base, lock, state)
            store._recover(damage)
        except BaseException:
            os.close(lock)
            raise
        return store

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        with self._turn:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    @property
    def previous(self) -> Bundle | None:
        """The version that `rollback` would go to, verified now; None is the base."""
        return last_good(self._bundles, self.state.versions[:-1])[1]

    @property
    def frozen(self) -> bool:
        return self.state.frozen

    @property
    def history(self) -> tuple[Entry, ...]:
        return self.state.history

    def staging(self) -> Path:
        """A new, empty folder for the candidate of a round; older ones are removed.

        Never one that was there before: a child of a killed daemon may still write
        into its own.

        Raises:
            ConfigError: if it cannot be made.
        """
        with self._turn:
            staging = self.folder / _STAGING
            clear(staging)
            try:
                staging.mkdir(exist_ok=True)
                return Path(tempfile.mkdtemp(dir=staging))
            except OSError as error:
                raise unwritable(self.folder, error) from None

    def accept(self, staged: Path, reason: str, evidence: Mapping[str, Any]) -> Entry:
        """Make the candidate in `staged` the active version, moving it from there.

        Raises:
            ModelError: if it is damaged, has other labels or another front end, or did
                not grow from the active version. It stays where it is.
            ConfigError: if it cannot be written. The candidate is removed.
        """
        with self._turn:
            bundle = load_candidate(staged, self.base, self.state.active)
            number = self.state.next_number
            version = Version(f"{number:06d}-{bundle.sha256[:12]}", bundle.sha256)
            target = self._bundles / version.folder
            versions = (*self.state.versions, version)
            state = self.state.after(
                "accepted", reason, bundle.sha256, evidence, versions
            )
            try:
                self._bundles.mkdir(exist_ok=True)
                # Left there by one that could not be written and not be removed.
                remove(target)
                make_durable(staged)
                staged.rename(target)
                sync_names(self._bundles)
            except OSError as error:
                remove(staged)
                raise unwritable(self.folder, error) from None
            try:
                return self._commit(state, replace(bundle, folder=target))
            except ConfigError:
                remove(target)
                raise

    def reject(self, reason: str, evidence: Mapping[str, Any] | None = None) -> Entry:
        """Remove the candidate and say why; also for rounds that ended without one.

        Raises:
            ConfigError: if it cannot be written. The candidate is removed all the same,
                and the entry, which changes nothing else, goes out with the next one.
        """
        with self._turn:
            candidate = self._staged()
            clear(self.folder / _STAGING)
            state = self.state.after("rejected", reason, candidate, evidence)
            return self._commit(state, self.current, must=True)

    def rollback(self, reason: str, *, must: bool = False) -> Entry:
        """Go back to the version before this one, or to the base.

        Args:
            reason: why, for the history.
            must: the worker does not run this version any more, or never did: here it
                is gone even where that cannot be written, until `catch_up` can.

        Raises:
            ConfigError: if the base is active already, or it cannot be written.
        """
        with self._turn:
            if not self.state.versions:
                raise ConfigError(
                    f"{self.base.name} is active as it came; there is nothing to "
                    "roll back"
                )
            return self._go_back(self.state.versions[:-1], [reason], must=must)

    def catch_up(self) -> bool:
        """Write what could not be written when it was done; whether there was any.

        Raises:
            ConfigError: if it still cannot be written.
        """
        with self._turn:
            behind = self._behind
            if behind:
                self._commit(self.state, self.current)
            return behind

    def freeze(self, frozen: bool) -> None:
        """Remember whether the user wants no more rounds."""
        with self._turn:
            if frozen != self.state.frozen:
                self._write(replace(self.state, frozen=frozen))

    def reset(self) -> Entry:
        """Back to the base: versions and stored windows go, the history stays.

        What the history's entries tell of the speech goes, too, and the windows that
        other models have left.

        Raises:
            ConfigError: if it cannot be written. The features may be gone by then.
        """
        with self._turn:
            # First: an entry that says `reset` must never stand beside stored windows.
            mine = self.reservoir_path, self.folder / DAMAGED
            for path in (*mine, *windows_of_others(self.folder)):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise unwritable(path.parent, error) from None
                sync_names(path.parent)
            clear(self.folder / _STAGING)
            reason = f"back to {self.base.name} as it came"
            state = self.state.forgetting().after(
                "reset", reason, self.base.sha256, versions=()
            )
            return self._commit(state, None)

    def _recover(self, damage: list[str]) -> None:
        """Find the last good version and remove what does not belong to it."""
        versions, self.current, problems = last_good(self._bundles, self.state.versions)
        if damage or problems:
            self._go_back(versions, damage + problems)
        clear(self._bundles, {version.folder for version in versions})
        clear(self.folder / _STAGING)
        for part in self.folder.glob(f"{PART}*"):  # of a file that was being replaced
            remove(part)

    def _go_back(
        self, versions: tuple[Version, ...], reasons: list[str], *, must: bool = False
    ) -> Entry:
        versions, bundle, problems = last_good(self._bundles, versions)
        state = self.state.after(
            "rolled_back",
            "; ".join(reasons + problems),
            bundle.sha256 if bundle else self.base.sha256,
            versions=versions,
        )
        return self._commit(state, bundle, must=must)

    def _commit(
        self, state: StoreState, current: Bundle | None, *, must: bool = False
    ) -> Entry:
        try:
            self._write(state)
        except ConfigError:
            if must:
                self.state, self.current, self._behind = state, current, True
            raise
        self.current = current
        clear(self._bundles, {version.folder for version in state.versions})
        return state.history[-1]

    def _write(self, state: StoreState) -> None:
        write_state(self.folder, state)
        self.state = state
        self._behind = False

    def _staged(self) -> str | None:
        """SHA-256 of the candidate, if there is a whole one."""
        for folder in (self.folder / _STAGING).glob("*"):
            try:
                return load_bundle(str(folder)).sha256
            except ModelError:
                continue
        return None
