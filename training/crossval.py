"""Leave-speakers-out cross-validation of a configuration, resumable by fold."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.errors import ConfigError
from ser_stream.smoothing import SmoothingConfig
from ser_stream.values import FloatArray
from training.calibrate import temperatures
from training.checkpoint import build_model, load_checkpoint
from training.config import TrainConfig
from training.corpora import Utterance
from training.evaluate import ClipSteps, run_clips
from training.loop import train
from training.metrics import report
from training.revision import git_revision

STEP_S = 0.2
"""The runtime's default step."""


def speaker_folds(
    utterances: Sequence[Utterance], corpus: str, n_folds: int
) -> list[list[str]]:
    """Split a corpus's speakers into groups, each mixed by sex.

    Speakers are sorted by sex, then dealt out, so the split needs no seed.
    """
    sex = {u.speaker: u.sex for u in utterances if u.corpus == corpus}
    order = sorted(sex, key=lambda speaker: (sex[speaker], speaker))
    return [sorted(order[i::n_folds]) for i in range(n_folds)]


def crossval(
    utterances: Sequence[Utterance],
    config: TrainConfig,
    out: Path,
    *,
    noises: Sequence[FloatArray] = (),
    device: str = "auto",
    threads: int = 0,
    only: int | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any] | None:
    """Train without each group of speakers of the first corpus, and score on it.

    Folds that are finished are read, not computed again. The last epoch is scored;
    nothing is chosen on the held-out speakers but the temperatures, which for scoring
    a fold are fitted on the others.

    Args:
        utterances: clips of all corpora of the configuration.
        config: what to train; the same for every fold.
        out: folder of the folds and of `crossval.json`.
        noises: noise recordings mixed under the clips.
        device: `auto`, `cpu` or `cuda`.
        threads: CPU threads; 0 leaves torch's choice.
        only: compute this fold alone, from 1, to share the work between processes.
        progress: show progress bars.
        say: told a line for each fold.

    Returns:
        What is also written to `out/crossval.json`; None with `only`.
    """
    target = config.corpora[0].name
    groups = speaker_folds(utterances, target, config.folds)
    if only is not None and not 1 <= only <= len(groups):
        raise ConfigError(f"only is {only}; allowed: 1 to {len(groups)}")
    folds, revisions = [], []
    for i, speakers in enumerate(groups):
        if only is not None and i + 1 != only:
            continue
        held_out = [
            u for u in utterances if u.corpus == target and u.speaker in speakers
        ]
        rest = [u for u in utterances if u not in held_out]
        folder = out / f"fold-{i + 1}"
        path = folder / "steps.json"
        if not path.exists():
            fold_config = replace(config, name=f"{config.name}-fold-{i + 1}")
            checkpoint = train(
                rest,
                fold_config,
                folder,
                noises=noises,
                device=device,
                threads=threads,
                progress=progress,
            )
            model, _ = build_model(load_checkpoint(checkpoint))
            steps = run_clips(model, fold_config, held_out, STEP_S)
            made = {
                "config": config.to_dict(),
                "revision": git_revision(),
                "clips": [asdict(clip) for clip in steps],
            }
            _write_json(path, made)
        done = json.loads(path.read_text("utf-8"))
        if TrainConfig.from_dict(done["config"]) != config:
            raise ConfigError(
                f"{path} was made with another configuration; give another --out, or "
                "delete it"
            )
        folds.append([ClipSteps(**clip) for clip in done["clips"]])
        revisions.append(done["revision"])
        say(f"fold {i + 1} of {len(groups)}: held out {', '.join(speakers)}")
    if only is not None:
        return None
    without = [
        temperatures([c for j, fold in enumerate(folds) if j != i for c in fold])
        for i in range(len(folds))
    ]
    uncertain = SmoothingConfig().uncertain
    result = {
        "protocol": (
            f"leave-speakers-out on {target}: {len(groups)} folds of speakers "
            f"{'; '.join('+'.join(group) for group in groups)}; whole clips through "
            "the streaming pipeline; last epoch, nothing selected on held-out speakers"
        ),
        "config": config.to_dict(),
        "revisions": sorted(set(revisions)),
        "temperatures": temperatures([c for fold in folds for c in fold]),
        "metrics": report(folds, without, config.labels, uncertain),
        "fold_war": [
            round(100 * float(np.mean([_right(c) for c in fold])), 1) for fold in folds
        ],
    }
    _write_json(out / "crossval.json", result)
    return result


def _right(clip: ClipSteps) -> bool:
    if not clip.columns:
        return False
    return int(np.mean(clip.logits, axis=0).argmax()) == clip.truth


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    os.replace(part, path)
