"""A recording through the real daemon that adapts, in a process of its own.

Every version that becomes active is stored, so that each can be scored afterwards, also
one that was rolled back.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.adaptation.versions.store import adaptation_folder, read_store
from ser_stream.errors import SerStreamError
from ser_stream.model import runtime_config
from ser_stream.pipeline.bundle import MANIFEST, Bundle, load_bundle

Event = dict[str, Any]
STATE = "state"
OURS = ("SER_STREAM_", "STATE_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_", "XDG_")
"""Beginnings of variables that would tell the daemon something else than its file."""


class DaemonFailedError(SerStreamError):
    """The daemon did not reach the end of the recording."""

    exit_status = 1


@dataclass(frozen=True, slots=True, eq=False)
class DaemonRun:
    """What the daemon made of one recording."""

    events: list[Event]
    """Of type `adaptation` and `status`, each with `at_s`, seconds of audio."""
    history: list[Event]
    """Entries of the store, oldest first, with the evidence."""
    versions: list[Bundle]
    final: Bundle
    """Active at the end; the base where nothing was accepted, or all rolled back."""
    speech_s: float
    """Of the steps with speech."""
    wall_s: float
    latencies_ms: list[float]
    """Of each prediction: the time until its line was ready."""


def run_daemon(
    recording: Path,
    bundle: Bundle,
    folder: Path,
    *,
    scope: str = AdaptConfig().scope,
    every_s: float = AdaptConfig().every_s,
    pace: str = "fast",
    adapt: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> DaemonRun:
    """Run `ser-stream listen --adapt` on a recording until its end.

    Args:
        recording: an audio file.
        bundle: what it begins with, unadapted.
        folder: emptied first; the daemon's configuration, log and state go there.
        scope: what rounds adapt.
        every_s: new speech between rounds, seconds.
        pace: `fast` or `realtime`.
        adapt: False runs the same without adaptation, to compare.
        say: told of each event.

    Raises:
        DaemonFailedError: if it ends with an error; its last words are in the message.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = folder / "config.toml"
    config.write_text(
        f"input = {json.dumps(str(recording.resolve()))}\n"
        f'pace = "{pace}"\nto = ["stdout:"]\nformat = "json"\nlog_format = "text"\n'
        f"model = {json.dumps(str(bundle.folder.resolve()))}\n"
        f"[adapt]\nenabled = {str(adapt).lower()}\n"
        f'scope = "{scope}"\nevery_s = {every_s:g}\n'
        f"state = {json.dumps(str(folder.resolve() / STATE))}\n",
        encoding="utf-8",
    )
    store = adaptation_folder(bundle, folder.resolve() / STATE)
    begun = time.monotonic()
    watch = _Watch(store, folder / "versions", runtime_config(bundle).step_s, say)
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "ser_stream", "listen", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(folder),
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                watch.take(json.loads(line))
            status = process.wait()
        finally:
            process.kill()
    if status:
        words = (folder / "log").read_text(errors="replace").splitlines()
        raise DaemonFailedError(
            f"the daemon ended with status {status}: {words[-1] if words else 'mute'}"
        )
    if adapt and not store.is_dir():
        raise DaemonFailedError(f"the daemon did not adapt; see {folder / 'log'}")
    state = read_store(store) if adapt else None
    final = bundle
    if state is not None and state.versions:
        final = load_bundle(str(_find(store / "bundles", state.active)))
        final = load_bundle(str(watch.copied(final.sha256, final.folder)))
    # What is needed of it was copied.
    shutil.rmtree(folder / STATE, ignore_errors=True)
    return DaemonRun(
        watch.events,
        [] if state is None else [entry.to_dict() for entry in state.history],
        [load_bundle(str(path)) for path in watch.versions],
        final,
        watch.speech_s,
        time.monotonic() - begun,
        watch.latencies,
    )


class _Watch:
    """Lines of the daemon's output -> what is kept of them."""

    def __init__(
        self, store: Path, versions: Path, step_s: float, say: Callable[[str], None]
    ) -> None:
        self._store, self._folder, self._step_s = store, versions, step_s
        self._say = say
        self._at_s = 0.0
        self.events: list[Event] = []
        self.versions: list[Path] = []
        self.speech_s = 0.0
        self.latencies: list[float] = []

    def take(self, message: Event) -> None:
        kind = message.get("type")
        if kind == "prediction":
            self._at_s = message["end_ms"] / 1000
            self.latencies.append(message["latency_ms"])
            if message["state"] == "speech":
                self.speech_s += self._step_s
        elif kind in ("adaptation", "status"):
            self.events.append({"at_s": round(self._at_s, 1), **message})
            told = message.get("reason") or message.get("detail") or ""
            self._say(f"{self._at_s:.0f} s: {message.get('phase', kind)}: {told}")
            if message.get("phase") == "accepted":
                # Now: later rounds prune it from the store.
                sha256 = message["bundle"]
                found = _find(self._store / "bundles", sha256)
                self.versions.append(self.copied(sha256, found))

    def copied(self, sha256: str, found: Path) -> Path:
        kept = self._folder / sha256[:12]
        if not kept.exists():
            shutil.copytree(found, kept)
        return kept


def _find(folder: Path, sha256: str) -> Path:
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        if json.loads(path.read_text(encoding="utf-8"))["sha256"] == sha256:
            return path.parent
    raise DaemonFailedError(f"there is no version {sha256[:12]} in {folder}")


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    homes = ("CONFIG", "DATA", "STATE")
    return kept | {f"XDG_{name}_HOME": str(folder / "home") for name in homes}
