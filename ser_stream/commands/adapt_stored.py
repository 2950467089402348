"""What a daemon that adapts has left on disk: told, and undone, without it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.adaptation.versions.state import StoreState
from ser_stream.adaptation.versions.state_file import is_claimed
from ser_stream.adaptation.versions.store import (
    Store,
    adaptation_folder,
    read_store,
    windows_of_others,
)
from ser_stream.client import NotRunningError
from ser_stream.config import resolve
from ser_stream.config.for_model import configured_bundle
from ser_stream.errors import SerStreamError
from ser_stream.paths import default_socket, is_folder, user_path
from ser_stream.pipeline.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Stored:
    bundle: Bundle
    """The model as it came."""
    folder: Path

    @classmethod
    def find(cls, config: Path | None, model: str | None) -> "Stored":
        """That of the model configured, or named.

        Raises:
            ConfigError, ModelError: if the configuration or its model is bad.
        """
        settings = resolve(config, {"model": model})
        bundle = configured_bundle(settings)
        given = settings.config.adapt.state
        folder = adaptation_folder(bundle, None if given is None else user_path(given))
        return cls(bundle, folder)

    def _require_no_daemon(self) -> None:
        if is_claimed(self.folder):
            raise NotRunningError(self._out_of_reach())

    def _out_of_reach(self) -> str:
        return (
            f"a daemon adapts in {self.folder}, but has no control socket here; start "
            f"it with --to unix://{default_socket()} to steer it, or give the socket "
            "that it has with --socket"
        )

    def _state(self, why: SerStreamError) -> StoreState:
        state = read_store(self.folder)
        if state is None:
            self._require_no_daemon()
            raise self._nothing(why)
        return state

    def _nothing(self, why: SerStreamError) -> SerStreamError:
        if not isinstance(why, NotRunningError):
            return why
        return NotRunningError(
            f"no daemon runs, and nothing was learnt for model {self.bundle.name} yet; "
            f"start one: ser-stream listen --adapt --to unix://{default_socket()}"
        )

    def _status(self, why: SerStreamError) -> dict[str, Any]:
        """The fields of a running daemon's answer that are known without it."""
        state = self._state(why)
        phases = Counter(entry.phase for entry in state.history)
        claimed = is_claimed(self.folder)
        return {
            "state": "unreachable" if claimed else "stopped",
            "detail": f"{self._out_of_reach()}; this is what it has stored"
            if claimed
            else "no daemon adapts it now; this is what one has left",
            "base": {"name": self.bundle.name, "sha256": self.bundle.sha256},
            "bundle": state.active,
            "adapted": bool(state.versions),
            "frozen": state.frozen,
            "rounds": {p: phases[p] for p in ("accepted", "rejected", "rolled_back")},
            "last": state.history[-1].to_dict() if state.history else None,
            "folder": str(self.folder),
        }

    def carry_out(self, do: str, why: SerStreamError) -> dict[str, Any]:
        """Tell of it, freeze, roll back or reset it: as a daemon would when it starts.

        Raises:
            NotRunningError: if nothing is stored, or a daemon works on what the command
                would change.
            ConfigError: if it cannot be written, or is of a newer version.
            SerStreamError: if there is nothing to roll back.
        """
        if do == "adapt.status":
            return self._status(why)
        if do == "adapt.history":
            entries = [entry.to_dict() for entry in self._state(why).history]
            return {"entries": entries, "older": 0}
        self._require_no_daemon()
        if do not in _ORDERS:
            raise why
        # After an update, what was heard before it is in another folder.
        others = do == "adapt.reset" and windows_of_others(self.folder)
        if not (others or is_folder(self.folder)):
            raise self._nothing(why)
        with Store.open(self.folder, self.bundle) as store:
            return dict(_ORDERS[do](store))


def _roll_back(store: Store) -> Mapping[str, Any]:
    if not store.state.versions:
        # No fault of the configuration, as the store would have it.
        raise SerStreamError(
            f"{store.base.name} is active as it came; there is nothing to roll back"
        )
    return store.rollback("asked for").to_dict()


def _freeze(store: Store, frozen: bool) -> Mapping[str, Any]:
    store.freeze(frozen)
    return {"frozen": frozen}


_ORDERS: dict[str, Callable[[Store], Mapping[str, Any]]] = {
    "adapt.freeze": lambda store: _freeze(store, True),
    "adapt.unfreeze": lambda store: _freeze(store, False),
    "adapt.rollback": _roll_back,
    "adapt.reset": lambda store: store.reset().to_dict(),
}
