"""A fold of one system at one corpus or pair, with one seed."""

import shutil
import time
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.corpora import Utterance
from training.engine.experiment import Experiment, Progress, S
from training.engine.result_store import Result
from training.paper.reproduce.constants import (
    BASELINES,
    CUT_ENDS,
    RIVAL_NETWORKS,
    SUPERVISED,
    UNHEARD,
    VARIANTS,
)
from training.paper.reproduce.workspace import Workspace

CLASSICAL = (*BASELINES, "echo-state", "nmftsl", UNHEARD)
"""Without epochs to choose from."""


@dataclass(frozen=True, slots=True)
class FoldExperiment(Experiment[S], ABC):
    """What `results/PROTOCOL/SYSTEM/PLACE/FOLD-seed-N.json` is of."""

    protocol: str
    system: str
    place: str
    """A corpus, or `source-target`."""
    fold: str
    seed: int
    inner: bool = False
    """`paper-10fold` alone: an inner split chooses the epoch (`validated`)."""

    @property
    def name(self) -> str:
        end = "-validated" if self.inner else ""
        return (
            f"{self.protocol}/{self.system}/{self.place}/"
            f"{self.fold}-seed-{self.seed}{end}"
        )

    def __str__(self) -> str:
        return self.name

    @property
    def corpora(self) -> list[str]:
        """The corpora it needs, the source first."""
        return self.place.split("-")

    def described(
        self,
        labels: Sequence[str],
        test: Sequence[Utterance],
        device: str,
        seconds: float,
        **figures: Any,
    ) -> Result:
        """What every file of results holds, around the figures of its own.

        Args:
            labels: class names.
            test: the clips that were scored.
            device: as the user named it.
            seconds: of this process; what a killed one had spent is not in it.
            figures: the rest.
        """
        import torch

        from training.engine.fit import pick_device
        from training.paper.reproduce.scores import versions

        return {
            "protocol": self.protocol,
            "system": self.system,
            "place": self.place,
            "fold": self.fold,
            "seed": self.seed,
            "labels": list(labels),
            "versions": versions(),
            "device": str(pick_device(device)),
            "threads": torch.get_num_threads(),
            "seconds": round(seconds, 1),
            **figures,
            "clips": [u.name for u in test],
            "speakers": [u.speaker for u in test],
            "truth": [labels.index(u.emotion) for u in test],
        }


@dataclass(frozen=True, slots=True)
class PaperExperiment(FoldExperiment[Workspace]):
    """One of the tables of `reproduce`."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Features, for figures and for Table S5."""
        drawn_nowhere = (*CLASSICAL, *SUPERVISED, *RIVAL_NETWORKS, *VARIANTS, CUT_ENDS)
        network = self.system not in drawn_nowhere
        drawn = self.fold in ("fold-1", "transductive")
        return (".npz",) if network and not self.inner and drawn else ()

    def config(self, space: Workspace) -> Result:
        from training.paper.reproduce.systems import experiment_config

        return experiment_config(self, space.epochs)

    def compute(self, space: Workspace, progress: Progress) -> Result:
        """See `Experiment`; a killed one goes on at its last epoch."""
        # What is needed, alone: openSMILE and scikit-learn need not be installed.
        if self.system in SUPERVISED:
            from training.paper.reproduce.run_supervised import run_supervised as run
        elif self.system in CLASSICAL:
            from training.paper.reproduce.run_classical import run_classical as run
        elif self.protocol == "cross":
            from training.paper.reproduce.run_cross import run_cross as run
        else:
            from training.paper.reproduce.run_single import run_single as run
        from training.engine.array_file import write_arrays

        started = time.monotonic()
        figures, arrays = run(self, space, progress.share)
        data = space.data(self)
        test = figures.pop("test", space.fold(self).test)
        result = self.described(
            data.labels,
            [data.utterances[i] for i in test],
            space.device,
            time.monotonic() - started,
            **figures,
        )
        for suffix in self.beside:
            write_arrays(space.store.path(self.name).with_suffix(suffix), arrays)
        return result

    def clean(self, space: Workspace) -> None:
        shutil.rmtree(space.run_folder(self), ignore_errors=True)
