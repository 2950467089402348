"""The whole benchmark, resumable by section: `stream-eval.json`, plots, streams."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ser_stream.errors import ConfigError
from ser_stream.model import Model, runtime_config
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle
from ser_stream.pipeline.values import SAMPLE_RATE
from training.corpora.limit import limited
from training.engine.git_revision import git_revision
from training.engine.result_store import Result, ResultStore, locked, write_json
from training.evaluation.streaming.evaluate_group import Benched
from training.evaluation.streaming.false_alarms import alarms, n_pieces, summarize
from training.evaluation.streaming.noises import Noise, load_noises, training_of
from training.evaluation.streaming.nonspeech import pieces, voices
from training.evaluation.streaming.plots import draw
from training.evaluation.streaming.stream_file import line, write_streams
from training.evaluation.streaming.unseen_speakers import (
    Group,
    crossval_hashes,
    trained_corpora,
    unseen_corpora,
    unseen_speakers,
)

SECTIONS = ("levels", "noise", "early", "changes", "false-alarms", "calibration")
ALARMS = "false-alarms"
UNSEEN = ("savee", "casia")
"""The corpora that no bundle of this project is trained on."""
NOISE = "noise"
"""Folder of noise recordings beside the corpora."""
RESULT = "stream-eval"


@dataclass(frozen=True, slots=True)
class StreamEvalConfig:
    """What `stream-eval` was asked to do."""

    model: str
    corpora: Path
    crossval: Path | None = None
    unseen: tuple[str, ...] | None = None
    """None: those of `UNSEEN` that are there and that the bundle does not know."""
    only: tuple[str, ...] = SECTIONS
    out: Path | None = None
    hours: float = 3.0
    seed: int = 98
    limit: int | None = None
    """At most so many clips of each speaker and emotion."""

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in SECTIONS:
                raise ConfigError(
                    f"there is no section {name!r}; allowed: {', '.join(SECTIONS)}"
                )
        if not self.only:
            raise ConfigError(f"only names nothing; allowed: {', '.join(SECTIONS)}")
        if not 0 < self.hours <= 1000:
            raise ConfigError(
                f"hours is {self.hours:g}; allowed: more than 0, at most 1000"
            )
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit is {self.limit}; allowed: 1 or more")


def run(
    settings: StreamEvalConfig, *, progress: bool = True
) -> tuple[dict[str, Any], Path]:
    """Measure what is missing of the sections that are asked for.

    Returns:
        All that the folder's `stream-eval.json` now holds, and the folder.

    Raises:
        ModelError: if there is no such bundle, or the cross-validation is no such run.
        ConfigError: if the two do not fit each other, or the folder holds the figures
            of something else.
        SourceError: if a corpus or the noise recordings are not there.
    """
    bundle = load_bundle(settings.model)
    out = settings.out or Path("runs/stream-eval") / bundle.name
    store = ResultStore(out, out, "stream-eval", key="protocol", option="--out")
    with locked(out, wait=True):
        result = _begun(store, _protocol(settings, bundle))
        _measure(result, settings, bundle, store, progress)
    draw(result, out)
    return result, out


def _measure(
    result: Result,
    settings: StreamEvalConfig,
    bundle: Bundle,
    store: ResultStore,
    progress: bool,
) -> None:
    """Add what is missing to the result; each section is written when it is there."""
    wanted = [name for name in SECTIONS if name in settings.only]
    torch.set_num_threads(1)
    noises: list[Noise] = []
    if {"noise", ALARMS} & set(wanted):
        noises = load_noises(settings.corpora / NOISE, training_of(bundle))
    of_speakers = [name for name in wanted if name != ALARMS]
    for group in _groups(settings, bundle) if of_speakers else ():
        clips = limited(group.utterances, settings.limit)
        benched = Benched(
            group,
            bundle,
            clips,
            noises,
            seed=settings.seed,
            out=store.folder,
            progress=progress,
        )
        of_group = result["groups"].setdefault(
            group.name,
            {
                "judged_by": group.judged_by,
                "clips": len(clips),
                "speakers": sorted({clip.speaker for clip in clips}),
            },
        )
        for name in of_speakers:
            if name not in of_group:
                of_group[name] = benched.section(name)
                _keep(store, result)
    if ALARMS in wanted and ALARMS not in result:
        result[ALARMS] = _alarms(settings, bundle, noises, store.folder, progress)
        _keep(store, result)


def _groups(settings: StreamEvalConfig, bundle: Bundle) -> list[Group]:
    groups = []
    if settings.crossval is not None:
        groups += unseen_speakers(settings.crossval, bundle, settings.corpora)
    names = settings.unseen
    if names is None:
        trained = trained_corpora(bundle)
        names = tuple(
            name
            for name in UNSEEN
            if name not in trained and (settings.corpora / name).is_dir()
        )
    groups += unseen_corpora(bundle, settings.corpora, names)
    if not groups:
        raise ConfigError(
            f"there are no speakers to score: {settings.corpora} holds none of "
            f"{', '.join(UNSEEN)}; name other corpora by --unseen, or give --crossval"
        )
    return groups


def _alarms(
    settings: StreamEvalConfig,
    bundle: Bundle,
    noises: Sequence[Noise],
    out: Path,
    progress: bool,
) -> dict[str, Any]:
    plain = [noise for noise in noises if not noise.has_voice]
    voiced = [noise for noise in noises if noise.has_voice]
    n, found, lines = n_pieces(settings.hours), [], []
    todo = [*pieces(plain, n, settings.seed), *voices(voiced, settings.seed)]
    model = Model(bundle)
    for piece in tqdm(
        todo, "non-speech", unit="min", disable=not progress, leave=False
    ):
        recording = model.record(piece.make())
        found.append(alarms(piece, recording))
        if found[-1].speech_s:
            # Only where the VAD opened could other thresholds make another alarm.
            lines.append(line(piece.family, piece.name, [], recording))
    write_streams(out / "streams" / "non-speech.jsonl", lines)
    return summarize(found[:n], found[n:], plain)


def _protocol(settings: StreamEvalConfig, bundle: Bundle) -> dict[str, Any]:
    config = runtime_config(bundle)
    crossval = settings.crossval
    return {
        "model": bundle.name,
        "bundle_sha256": bundle.sha256,
        "graphs": {name: bundle.manifest["files"][name] for name in (ENCODER, HEAD)},
        "front_end_hash": bundle.front_end.hash,
        "temperatures": list(bundle.temperatures),
        "clip_temperature": bundle.clip_temperature,
        "labels": list(bundle.labels),
        "step_s": config.step_s,
        "window_s": bundle.geometry.window_length(bundle.max_columns) / SAMPLE_RATE,
        "thresholds": asdict(config.smoothing),
        "crossval_sha256": None if crossval is None else crossval_hashes(crossval),
        "hours": settings.hours,
        "seed": settings.seed,
        "limit": settings.limit,
    }


def _begun(store: ResultStore, protocol: Result) -> Result:
    path = store.path(RESULT)
    if not path.exists():
        return {"protocol": protocol, "revisions": [], "groups": {}}
    # Its parts are compared one by one; the model may have another name.
    told = {key: protocol[key] for key in ("model", "bundle_sha256")}
    return store.check(
        path, protocol, lambda before: {k: before.get(k) for k in protocol} | told
    )


def _keep(store: ResultStore, result: Result) -> None:
    result["revisions"] = sorted({*result["revisions"], git_revision()})
    write_json(store.path(RESULT), result)
