"""`results/PROTOCOL/SYSTEM/PLACE/FOLD-seed-N.json` -> `Run`s."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import audmetric

from ser_stream.errors import SourceError
from training.paper.reproduce.constants import PROTOCOLS, SCHEMA

SELECTIONS = ("oracle", "last", "validated")
METRICS = ("UAR", "WAR", "macro_F1")
_NAME = re.compile(r"(?P<fold>.+)-seed-(?P<seed>\d+)(?P<validated>-validated)?")
_OTHERS = ("adapt-eval", "loco", "unseen", "who-speaks.json")
"""Folders and files of results that are not of `reproduce`."""
_ROUNDING = 0.1
"""What a stored WAR may differ from that of the stored predictions, percent."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One fold scored at one epoch; clips, speakers, truth, predicted in one order."""

    epochs: int
    """Epochs of the training it was selected from; 1 where there are none."""
    metrics: dict[str, float]
    """`UAR`, `WAR` and `macro_F1`, percent."""
    recall: dict[str, float]
    labels: tuple[str, ...]
    clips: tuple[str, ...]
    speakers: tuple[str, ...]
    truth: tuple[int, ...]
    predicted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished fold: one training, or two where `validated` needs its own."""

    path: Path
    protocol: str
    system: str
    place: str
    fold: str
    seed: int
    selections: dict[str, Scored]
    curve: tuple[dict[str, float], ...]
    distances: dict[str, dict[str, float]]
    """`before` and `after` adaptation: label, or `mean` -> distance."""
    source_network: str
    """SHA-256 of the weights that adaptation began from; empty where none is told."""
    took: dict[str, float]
    """Seconds of each of its trainings, by the name of its file without `.json`."""
    devices: tuple[str, ...]
    revisions: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return sum(self.took.values())

    @property
    def points(self) -> Path:
        """Where the embedding of its clips lies, if it was kept."""
        return self.path.with_suffix(".npz")


def load_runs(folder: Path) -> list[Run]:
    """All finished folds, in a fixed order; the two trainings of a fold made one.

    A folder that does not exist holds none.

    Raises:
        SourceError: a file that is no result, or lies where it does not belong.
    """
    runs: dict[tuple[str, str, str, str, int], Run] = {}
    known: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for path in sorted(folder.rglob("*.json")):
        parts = path.relative_to(folder).parts
        if parts[0] in _OTHERS:
            continue
        run = _read(path, parts)
        key = (run.protocol, run.system, run.place, run.fold, run.seed)
        runs[key] = _merged(runs[key], run) if key in runs else run
        labels = {scored.labels for scored in run.selections.values()}
        if labels != {known.setdefault(key[:3], min(labels))}:
            raise _foreign(
                path,
                f"its labels {', '.join(min(labels))} are not those of the other folds "
                f"beside it, {', '.join(known[key[:3]])}",
            )
    return sorted(
        runs.values(),
        key=lambda run: (
            *(PROTOCOLS.index(run.protocol), run.system, run.place, run.seed),
            *_natural(run.fold),
        ),
    )


def _natural(fold: str) -> tuple[int, str]:
    """A key that sorts `fold-10` after `fold-9`."""
    number = re.search(r"-(\d+)$", fold)
    return (int(number[1]) if number else 0, fold)


def _merged(run: Run, validated: Run) -> Run:
    # Of the two files either may come first.
    if run.path.stem.endswith("-validated"):
        run, validated = validated, run
    return replace(
        run,
        selections=run.selections | validated.selections,
        took=run.took | validated.took,
        devices=tuple(sorted({*run.devices, *validated.devices})),
        revisions=tuple(sorted({*run.revisions, *validated.revisions})),
    )


def _read(path: Path, parts: Sequence[str]) -> Run:
    name = _NAME.fullmatch(path.stem)
    if len(parts) != 4 or parts[0] not in PROTOCOLS or name is None:
        raise _foreign(
            path,
            "results lie in PROTOCOL/SYSTEM/PLACE/FOLD-seed-N.json, PROTOCOL one of "
            + ", ".join(PROTOCOLS),
        )
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or stored.get("schema") != SCHEMA:
            raise ValueError(f'it has no "schema": {SCHEMA}')
        return _parse(path, parts, name, stored)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise _foreign(path, f"it is not JSON: {error}") from error
    except KeyError as error:
        raise _foreign(path, f"it has no {error}") from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _foreign(path, str(error)) from error


def _parse(
    path: Path, parts: Sequence[str], name: re.Match[str], stored: dict[str, Any]
) -> Run:
    fold, seed = name["fold"], int(name["seed"])
    where = (*parts[:3], fold, seed)
    claims = tuple(stored[k] for k in ("protocol", "system", "place", "fold", "seed"))
    if claims not in (where, (*parts[:3], f"{fold}-validated", seed)):
        raise ValueError(f"it says it is {claims}, its path says {where}")
    selections = {
        selection: _scored(stored, values)
        for selection, values in stored["selections"].items()
        if selection in SELECTIONS
    }
    if name["validated"]:
        # The training with an inner split is there for this one number.
        selections = {"validated": selections["validated"]}
    if not selections:
        raise ValueError(f"it has none of the selections {', '.join(SELECTIONS)}")
    return Run(
        path,
        parts[0],
        parts[1],
        parts[2],
        fold,
        seed,
        selections,
        tuple(
            {key: float(value) for key, value in row.items() if value is not None}
            for row in stored.get("curve") or []
        ),
        _distances(stored.get("distances") or {}),
        str(stored.get("source_network", "")),
        {
            "/".join([*parts[:3], path.stem]): _number(
                "seconds", stored.get("seconds", 0)
            )
        },
        (str(stored.get("device", "unknown")),),
        (str(stored.get("revision", "unknown")),),
    )


def _scored(stored: dict[str, Any], values: dict[str, Any]) -> Scored:
    labels = tuple(str(label) for label in stored["labels"])
    clips, speakers = (tuple(map(str, stored[key])) for key in ("clips", "speakers"))
    truth, predicted = tuple(stored["truth"]), tuple(values["predicted"])
    if not len(clips) == len(speakers) == len(truth) == len(predicted) > 0:
        raise ValueError(
            "clips, speakers, truth and predicted differ in length or are empty"
        )
    for index in (*truth, *predicted):
        if not isinstance(index, int) or not 0 <= index < len(labels):
            raise ValueError(f"{index!r} is no index into its {len(labels)} labels")
    metrics = {metric: _number(metric, values[metric]) for metric in METRICS}
    war = 100 * float(audmetric.accuracy(truth, predicted))
    if abs(war - metrics["WAR"]) > _ROUNDING:
        raise ValueError(
            f"WAR {metrics['WAR']} is not that of its predictions, {war:.2f}"
        )
    return Scored(
        int(stored.get("epochs", 1)),
        metrics,
        # None: a class without a clip in this fold.
        {k: _number(k, x) for k, x in values["recall"].items() if x is not None},
        labels,
        clips,
        speakers,
        truth,
        predicted,
    )


def _distances(stored: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    if stored and stored["before"].keys() != stored["after"].keys():
        raise ValueError("its distances before and after are not of the same classes")
    return {
        when: {label: _number(label, x) for label, x in of.items()}
        for when, of in stored.items()
    }


def _number(name: str, value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}")
    return number


def _foreign(path: Path, why: str) -> SourceError:
    return SourceError(
        f"{path}: no result of `reproduce`: {why}; move it out of the results, or "
        "delete it and run its fold again"
    )
