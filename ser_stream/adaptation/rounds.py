"""Rounds of learning: one at a time, each in a thread of its own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ser_stream.adaptation.acceptance import verdict
from ser_stream.adaptation.child_process import RoundError, RoundJob, RoundRunner
from ser_stream.adaptation.pack import Pack
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.adaptation.versions.active import ActiveVersion
from ser_stream.adaptation.versions.state_file import need_room
from ser_stream.errors import SerStreamError

END_WAIT = 10.0
"""Seconds for a round to end; killing its child takes a tenth of one."""


@dataclass
class Round:
    number: int
    """Number of the history's entry for its verdict."""
    staged: Path
    began: float = field(default_factory=time.monotonic)
    progress: float = 0.0
    """The share that is done, 0 to 1."""
    stopped: str = ""
    """Why it is to stop early."""
    thread: threading.Thread | None = None

    def report(self, progress: float) -> None:
        self.progress = progress

    def status(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "progress": round(self.progress, 3),
            "elapsed_s": round(time.monotonic() - self.began, 1),
        }


class Rounds:
    def __init__(
        self,
        active: ActiveVersion,
        pack: Pack,
        reservoir: Reservoir,
        *,
        scope: str,
        runner: RoundRunner,
        guard: Callable[[Callable[[], None]], None],
        keep: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        """Prepare; a round's thread calls the last three.

        `guard` calls a function and deals with what it raises, `keep` saves what has
        to outlast a restart, `wake` hears that the round is gone.
        """
        self._active = active
        self._pack = pack
        self._reservoir = reservoir
        self._scope = scope
        self._runner = runner
        self._guard = guard
        self._keep = keep
        self._wake = wake
        self._closed = False
        self.changing = threading.RLock()
        """Held to begin a round or to change the active version."""
        self.running: Round | None = None
        self.failures = 0
        """Rounds since the last one that was of any use."""

    def begin(self) -> Round:
        """Begin one; only with `changing` held, and while none runs.

        Raises:
            SerStreamError: if it cannot be; that is a round in vain, too.
        """
        if self._closed:
            raise SerStreamError("the daemon is ending")
        try:
            return self._begin()
        except SerStreamError:
            self.failures += 1
            raise

    def _begin(self) -> Round:
        store = self._active.store
        n = len(self._reservoir)
        # Also where it comes to nothing at once: not again in the next second.
        self._reservoir.mark()
        need_room(store.folder)
        this = Round(store.state.next_number, store.staging())
        this.thread = threading.Thread(
            target=self._guard,
            args=(lambda: self._hold(this),),
            name="adaptation-round",
            daemon=True,
        )
        self.running = this
        try:
            this.thread.start()
        except RuntimeError as error:
            self.running = None
            raise SerStreamError(f"a round cannot begin: {error}") from None
        self._active.say("started", f"round {this.number}, with {n} windows of speech")
        return this

    def stop(self, reason: str) -> None:
        """Kill the one that runs, if any, and wait until it is gone."""
        this = self.running
        if this is None or this.thread is None:
            return
        this.stopped = this.stopped or reason
        with self.changing:
            pass  # `begin` is called with it held until the thread has been started
        this.thread.join(END_WAIT)

    def close(self, reason: str) -> None:
        """The same for good: none begins any more."""
        with self.changing:
            self._closed = True
        self.stop(reason)

    @contextlib.contextmanager
    def alone(self, reason: str) -> Iterator[None]:
        """No round runs meanwhile, and no other thread changes the active version.

        Args:
            reason: why the one that runs is stopped.
        """
        while True:
            self.stop(reason)
            with self.changing:
                if self.running is None:
                    yield
                    return

    def _hold(self, this: Round) -> None:
        try:
            evidence, reason = self._learn(this)
            with self.changing:
                self._conclude(this, evidence, this.stopped or reason)
        finally:
            try:
                self._keep()
            finally:
                self.running = None
                self._wake()

    def _learn(self, this: Round) -> tuple[dict[str, Any], str | None]:
        """The child's evidence, and the reason to reject its candidate."""
        job = RoundJob.of(
            self._active.bundle,
            self._pack,
            this.staged,
            scope=self._scope,
            seed=this.number,
        )
        try:
            evidence = self._runner.run(
                job, self._reservoir, this.report, lambda: bool(this.stopped)
            )
        except RoundError as error:
            return {}, str(error)
        # Canary windows of another pack are another measure.
        evidence["pack"] = self._pack.sha256
        earlier = [entry.evidence for entry in self._active.store.history]
        return evidence, verdict(evidence, earlier=earlier)

    def _conclude(
        self, this: Round, evidence: dict[str, Any], reason: str | None
    ) -> None:
        if reason is not None:
            self._active.reject(reason, evidence)
            self.failures += not this.stopped
        else:
            accepted = self._active.accept(this.staged, evidence)
            self.failures = 0 if accepted else self.failures + 1
