"""What adaptation remembers: the stored versions, and what became of every round.

One immutable `StoreState`, as it lies in `state.json`. A step makes a new one, which
replaces the file whole, so that no half of a step can ever be read.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast, get_args

VERSION = 1
"""Version of the file; raised when an older reader would misunderstand it."""
KEPT_VERSIONS = 3
"""The active one and its two predecessors."""
KEPT_ENTRIES = 200
_OF_SPEECH = ("reservoir_", "agreement")
"""How the names of such evidence begin: emotions by share, and how sure of them."""

Phase = Literal["accepted", "rejected", "rolled_back", "reset"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one round, or of one request of the operator."""

    number: int
    """Counts from 1 and never starts again, also after a reset."""
    phase: Phase
    reason: str
    bundle: str | None
    """SHA-256 of the active version afterwards; if rejected, of the candidate, None
    where there was no whole one."""
    time: str
    """UTC, as in the protocol: 2026-01-01T00:00:00.000Z."""
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: object) -> "Entry":
        """The inverse of `to_dict`.

        Raises:
            ValueError: if it is none.
        """
        phase = _of(str, values, "phase")
        if phase not in get_args(Phase):
            raise ValueError(f"phase is {phase!r}")
        return cls(
            number=_of(int, values, "number"),
            phase=cast(Phase, phase),
            reason=_of(str, values, "reason"),
            bundle=_of((str, type(None)), values, "bundle"),
            time=_of(str, values, "time"),
            evidence=_of(dict, values, "evidence"),
        )


@dataclass(frozen=True, slots=True)
class Version:
    """An adapted bundle that is stored."""

    folder: str
    """Its name among the bundles."""
    sha256: str

    @property
    def number(self) -> int:
        """Number of the entry that accepted it."""
        digits = self.folder.partition("-")[0]
        return int(digits) if digits.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class StoreState:
    """The active version, its predecessors, and the history."""

    base: str
    """SHA-256 of the model that everything grew from."""
    frozen: bool = False
    versions: tuple[Version, ...] = ()
    """Oldest first; the last one is active, none means the base."""
    history: tuple[Entry, ...] = ()
    """Oldest first; the last `KEPT_ENTRIES`, and what accepted the versions."""

    @property
    def active(self) -> str:
        """SHA-256 of the active version."""
        return self.versions[-1].sha256 if self.versions else self.base

    @property
    def next_number(self) -> int:
        """Number of the entry to come."""
        # Of a history that was lost, the versions' names still have the numbers.
        known = [version.number for version in self.versions]
        known += [entry.number for entry in self.history[-1:]]
        return max(known, default=0) + 1

    def after(
        self,
        phase: Phase,
        reason: str,
        bundle: str | None,
        evidence: Mapping[str, Any] | None = None,
        versions: tuple[Version, ...] | None = None,
    ) -> "StoreState":
        """The state that an entry leads to; `versions` stay where none are given."""
        entry = Entry(
            number=self.next_number,
            phase=phase,
            reason=" ".join(reason.split()),
            bundle=bundle,
            time=_now(),
            evidence=_plain(evidence or {}),
        )
        versions = self.versions if versions is None else versions[-KEPT_VERSIONS:]
        kept = {version.sha256 for version in versions}
        history = (*self.history, entry)
        # However many rounds were rejected since: the active version keeps its reason.
        old = tuple(
            one
            for one in history[:-KEPT_ENTRIES]
            if one.phase == "accepted" and one.bundle in kept
        )
        return replace(self, versions=versions, history=old + history[-KEPT_ENTRIES:])

    def forgetting(self) -> "StoreState":
        """The same without what the entries tell of the speech."""

        def others(evidence: dict[str, Any]) -> dict[str, Any]:
            names = (name for name in evidence if not name.startswith(_OF_SPEECH))
            return {name: evidence[name] for name in names}

        return replace(
            self,
            history=tuple(
                replace(entry, evidence=others(entry.evidence))
                for entry in self.history
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, values: object) -> "StoreState":
        """The inverse of `to_dict`.

        Raises:
            ValueError: if it is none.
        """
        versions = tuple(
            Version(_of(str, value, "folder"), _of(str, value, "sha256"))
            for value in _of(list, values, "versions")
        )
        if any("/" in version.folder for version in versions):
            raise ValueError("versions name a folder elsewhere")
        return cls(
            base=_of(str, values, "base"),
            frozen=_of(bool, values, "frozen"),
            versions=versions,
            history=tuple(map(Entry.from_dict, _of(list, values, "history"))),
        )


def _of(kind: type[_T] | tuple[type[_T], ...], values: object, key: str) -> _T:
    """`values[key]`, which is of that very type: true is no number."""
    value = values.get(key) if isinstance(values, dict) else None
    if type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
        raise ValueError(f"{key} is missing or makes no sense")
    return cast(_T, value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """With numpy's values as Python's, and null for what JSON has no number for."""
    text = json.dumps(dict(evidence), default=_number)
    result: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return result


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
