"""A collapse on purpose: is it rejected, and does the regression watch take it back?

The daemon's own adapter, acceptance, store and watch, beside a pipeline in this
process, because only here can the worker be another program.
"""

import queue
import shutil
import sys
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ser_stream.adaptation.adapter import Adapter
from ser_stream.adaptation.child_process import RoundRunner
from ser_stream.adaptation.pack import find_pack, load_pack
from ser_stream.adaptation.reservoir import LEAST_WINDOWS
from ser_stream.adaptation.settings import AdaptConfig
from ser_stream.adaptation.versions.store import Store, adaptation_folder
from ser_stream.errors import SerStreamError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import DEFAULT_MODEL, Bundle, load_bundle
from ser_stream.pipeline.values import Chunk, FloatArray, SpeechWindow
from training.corpora import Utterance, load_corpora
from training.engine.experiment import Experiment, Progress
from training.engine.result_store import Result
from training.evaluation.adaptation.conversation import looped, talk
from training.evaluation.adaptation.gains import halves
from training.evaluation.adaptation.settings import AdaptEvalConfig

CORPUS = "savee"
SEED = 98
EVERY_S = 45.0
LONGEST_S = 900.0
"""Seconds of speech in which the verdict must fall."""
VERDICTS = {"honest": "rejected", "lying": "rolled_back"}
"""The outcome where the child reports the truth, and where it reports that nothing has
changed, so that the collapse is accepted."""


@dataclass(frozen=True, slots=True)
class Collapse(Experiment[AdaptEvalConfig]):
    """Every class once, by an honest worker and by a lying one."""

    @property
    def name(self) -> str:
        return "attacks/collapse"

    def config(self, settings: AdaptEvalConfig) -> Result:
        return {
            "attack": "collapse",
            "model": DEFAULT_MODEL,
            "corpus": CORPUS,
            "seed": SEED,
            "every_s": EVERY_S,
        }

    def compute(self, settings: AdaptEvalConfig, progress: Progress) -> Result:
        clips = halves(load_corpora(settings.corpora, [CORPUS]), CORPUS, 1)[0]
        folder = settings.out / self.name
        bundle = load_bundle(DEFAULT_MODEL)
        steps = []
        for word in VERDICTS:
            for which, label in enumerate(bundle.labels):
                found = one_collapse(bundle, which, word, clips, folder)
                steps.append({"what": f"{word}, {label}", **found})
                progress.say(f"{steps[-1]['what']}: {steps[-1]['outcome']}")
        return {
            "attack": "collapse",
            "about": (
                "a worker that writes +20 on one class's logit into the graphs, and "
                "tells the gate the truth (honest) or that nothing has changed (lying)"
            ),
            "bundle_sha256": bundle.sha256,
            "steps": steps,
            "caught": all(step["caught"] for step in steps),
        }


def one_collapse(
    bundle: Bundle, which: int, word: str, clips: list[Utterance], folder: Path
) -> Result:
    """What becomes of class `which` being given for any speech, by a worker's `word`.

    The folder is emptied; the adapter's state goes there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    child = "training.evaluation.adaptation.collapsing_child"
    command = [sys.executable, "-m", child, str(which), word]
    with Store.open(adaptation_folder(bundle, folder), bundle) as store:
        with closing(_Room(store, RoundRunner(command))) as room:
            room.feed(looped(talk(clips, SEED), LONGEST_S), until=VERDICTS[word])
        history = [entry.to_dict() for entry in store.history]
        active = (store.current or store.base).sha256
    last = history[-1] if history else {"phase": "nothing", "reason": "no round"}
    caught = last["phase"] == VERDICTS[word] and active == bundle.sha256
    outcome = f"{last['phase'].replace('_', ' ')}: {last['reason']}"
    if last["phase"] == "rolled_back":
        outcome += f" (after {room.windows_since} windows)"
    return {
        "caught": caught,
        "outcome": outcome,
        "windows_until_caught": room.windows_since,
        "history": history,
    }


class _Room:
    """A pipeline with an adapter, as the daemon's worker has them."""

    def __init__(self, store: Store, runner: RoundRunner) -> None:
        self._asked: queue.Queue[tuple[Bundle, threading.Event]] = queue.Queue()
        self.phase = ""
        self.windows_since = 0
        """Windows since a round began, or its version became active."""
        self._adapter = Adapter(
            AdaptConfig(enabled=True, every_s=max(EVERY_S, LEAST_WINDOWS)),
            store,
            load_pack(find_pack(store.base), store.base),
            install=self._install,
            publish=self._publish,
            live=False,
            runner=runner,
        )
        self.close = self._adapter.close
        self._pipeline = Model(store.base).pipeline(self._take)
        self._adapter.start()

    def feed(self, pieces: Iterable[FloatArray], until: str) -> None:
        """Feed pieces of samples until that has happened, or nothing is left."""
        start = 0
        for samples in pieces:
            self._pipeline.feed(Chunk(start, samples))
            start += len(samples)
            while self._adapter.must_wait(0.02):
                self._swap()
            if self.phase == until:
                return

    def _take(self, window: SpeechWindow) -> None:
        self.windows_since += 1
        self._adapter.add_window(window)

    def _swap(self) -> None:
        while not self._asked.empty():
            bundle, done = self._asked.get()
            following = Model(bundle).pipeline(self._take)
            following.take_over_from(self._pipeline)
            self._pipeline = following
            done.set()

    def _install(self, bundle: Bundle, phase: str, reason: str) -> None:
        done = threading.Event()
        self._asked.put((bundle, done))
        if not done.wait(30):
            raise SerStreamError("the pipeline does not come to it")
        self._publish(phase, reason, bundle.sha256)

    def _publish(self, phase: str, reason: str, sha256: str) -> None:
        self.phase = phase
        if phase in ("started", "accepted"):
            self.windows_since = 0
