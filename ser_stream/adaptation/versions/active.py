"""Which version of the model the pipeline runs, and how that changes.

The store comes first, then the worker, then subscribers: what they were told outlasts a
power cut.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_stream.adaptation.acceptance import summary
from ser_stream.adaptation.regression_watch import Watch
from ser_stream.adaptation.versions.state import Entry
from ser_stream.adaptation.versions.store import Store
from ser_stream.errors import ModelError, SerStreamError
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer

_LOGGER = logging.getLogger(__name__)
Install = Callable[[Bundle, str, str], None]
"""Has the worker go on with another version, between two steps, and publish the phase
and its reason; waits for that. SerStreamError if it cannot be: nothing has changed."""
Publish = Callable[[str, str, str], None]
"""Publishes a phase, its reason and the SHA-256 of the active version, when the
worker comes to it; waits for nothing."""


class ActiveVersion:
    """The active version. One thread at a time may change it."""

    def __init__(self, store: Store, install: Install, publish: Publish) -> None:
        """Begin with what the store has; the worker is taken to have it too."""
        self.store = store
        self._install = install
        self._publish = publish
        self.bundle = self._stored()
        self.number = 0
        """Goes up with every swap; a window is of the version that it came with."""
        self.watch: Watch | None = None
        """Compares it with what it would be rolled back to; None with nothing such."""

    def begin_watch(self) -> None:
        self.watch = None
        if self.bundle.sha256 == self.store.base.sha256 or not self._is_stored():
            return
        before = self.store.previous or self.store.base
        try:
            self.watch = Watch(OnnxRecognizer(before))
        except ModelError as error:
            _LOGGER.warning("the active version is not watched: %s", error)

    def _is_stored(self) -> bool:
        return self.bundle.sha256 == self.store.state.active

    def accept(self, staged: Path, evidence: dict[str, Any]) -> bool:
        """Make the candidate in `staged` the active version; whether that succeeded.

        If not, it is removed, and that is published.
        """
        text = summary(evidence)
        try:
            # Loaded once before it is stored: the next start has to begin with it.
            OnnxRecognizer(load_bundle(str(staged)))
            self.store.accept(staged, text, evidence)
        except SerStreamError as error:
            self.reject(str(error), evidence)
            return False
        try:
            self._swap(self._stored(), "accepted", text)
        except Exception as error:
            # Also where the fault is ours: the next start must not begin with it.
            reason = f"the new version could not take over: {error}"
            self.say("rejected", reason)
            self._go_back(reason)
            if not isinstance(error, SerStreamError):
                raise
            return False
        return True

    def reject(self, reason: str, evidence: dict[str, Any]) -> None:
        """Keep the active version; publish that, and store it if possible."""
        try:
            self.store.reject(reason, evidence)
        except SerStreamError as error:
            _LOGGER.warning("that a round was rejected is not kept: %s", error)
        self.say("rejected", reason)

    def roll_back(self, reason: str) -> Entry:
        """Go back to the version before, on request.

        Raises:
            SerStreamError: if it cannot be.
        """
        # A second request, since the worker had not followed: no further back.
        entry = (
            self.store.rollback(reason) if self._is_stored() else self.store.history[-1]
        )
        self._follow(reason)
        return entry

    def revert(self, reason: str) -> None:
        """Go back since the active version does harm, even if that cannot be stored.

        Raises:
            SerStreamError: if the worker could not swap; to be tried again.
        """
        if self._is_stored():
            # Else the store has gone back already, and only the worker has not.
            self._go_back(reason)
        self._swap(self._stored(), "rolled_back", reason)

    def _go_back(self, reason: str) -> None:
        # Or the two would disagree for good: the store names what the worker runs.
        try:
            self.store.rollback(reason, must=True)
        except SerStreamError as error:
            _LOGGER.warning("that is not remembered over a restart yet: %s", error)

    def reset(self) -> Entry:
        """Back to the base, and no version is left.

        Raises:
            SerStreamError: if it cannot be.
        """
        entry = self.store.reset()
        self._follow(f"reset: {entry.reason}")
        return entry

    def _follow(self, reason: str) -> None:
        try:
            self._swap(self._stored(), "rolled_back", reason)
        except SerStreamError as error:
            raise SerStreamError(
                f"the next start will go back, but now that cannot be done: {error}"
            ) from None

    def _stored(self) -> Bundle:
        return self.store.current or self.store.base

    def _swap(self, bundle: Bundle, phase: str, reason: str) -> None:
        self._install(bundle, phase, reason)
        self._log(phase, reason)
        self.bundle = bundle
        # Only now: what the worker hands over from here on is surely of this version.
        self.number += 1
        self.begin_watch()

    def say(self, phase: str, reason: str) -> None:
        """Publish and log a phase that changes no version."""
        self._log(phase, reason)
        self._publish(phase, reason, self.bundle.sha256)

    def _log(self, phase: str, reason: str) -> None:
        _LOGGER.info("adaptation %s: %s", phase.replace("_", " "), reason)
