"""One group of speakers -> the sections of the benchmark that are about them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from ser_stream.pipeline.bundle import Bundle
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.streaming.calibration import calibration
from training.evaluation.streaming.changes import count, summarize
from training.evaluation.streaming.clips import ClipResult
from training.evaluation.streaming.conditions import (
    Change,
    compare,
    families,
    gains,
    noisy,
)
from training.evaluation.streaming.noises import Noise
from training.evaluation.streaming.stream_file import line, write_streams
from training.evaluation.streaming.streams import plans
from training.evaluation.streaming.time_to_decision import early
from training.evaluation.streaming.unseen_speakers import Group

T = TypeVar("T")


@dataclass(frozen=True)
class Benched:
    """A group, and everything that its sections need."""

    group: Group
    bundle: Bundle
    utterances: Sequence[Utterance]
    noises: Sequence[Noise]
    trained_with_noise: bool
    seed: int
    out: Path
    progress: bool

    def section(self, name: str) -> dict[str, Any]:
        make: dict[str, Callable[[], dict[str, Any]]] = {
            "levels": lambda: self._conditions(gains(), "level"),
            "noise": self._noise,
            "early": lambda: early(self.clean, self._n_classes),
            "changes": self._changes,
            "calibration": lambda: calibration(self.clean),
        }
        return make[name]()

    @cached_property
    def clean(self) -> list[ClipResult]:
        """Every clip as it is, run once for all sections."""
        return self._hear("clean", lambda samples, _: samples)

    @property
    def _n_classes(self) -> int:
        return len(self.bundle.labels)

    def _hear(self, what: str, change: Change) -> list[ClipResult]:
        result = []
        for clip in self._bar(self.utterances, what, "clip"):
            samples = change(read_samples(clip.path), clip.name)
            recording = self.group.record(clip, samples, self.bundle)
            temperature = self.group.network(clip).clip_temperature
            result.append(
                ClipResult.of(clip, recording, self.bundle.labels, temperature)
            )
        return result

    def _conditions(self, changes: dict[str, Change], what: str) -> dict[str, Any]:
        now = {name: self._hear(f"{what} {name}", c) for name, c in changes.items()}
        return compare(self.clean, now, self._n_classes)

    def _noise(self) -> dict[str, Any]:
        return {
            family.name: {
                "seen_in_training": family.seen,
                "noises": sorted(family.noises),
                **self._conditions(noisy(family, self.seed), family.name),
            }
            for family in families(self.noises, self.trained_with_noise)
        }

    def _changes(self) -> dict[str, Any]:
        labels, counted, lines = self.bundle.labels, [], []
        planned = self._bar(plans(self.utterances, self.seed), "streams", "stream")
        for plan, joined, recording in self.group.streams(planned, self.bundle):
            segments, speaker = joined.segments, plan.speaker
            counted.append(
                count(recording, segments, joined.utterances, labels, speaker)
            )
            lines.append(line(self.group.name, speaker, segments, recording))
        write_streams(self.out / "streams" / f"{slug(self.group.name)}.jsonl", lines)
        return summarize(counted) if counted else {"streams": 0, "changes": 0}

    def _bar(self, items: Sequence[T], what: str, unit: str) -> Iterable[T]:
        bar: Iterable[T] = tqdm(
            items,
            desc=f"{self.group.name}: {what}",
            unit=unit,
            disable=not self.progress,
            leave=False,
        )
        return bar


def slug(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-")
