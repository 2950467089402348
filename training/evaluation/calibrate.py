"""Calibration on corpora that a network never heard: `python -m training calibrate`.

On other speakers of its own corpora a network is surer than it may be of a voice,
a language and a microphone that are new. What it is used for is new.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser_stream.errors import ConfigError, ModelError
from training.engine.checkpoint import load_checkpoint, weights_sha256
from training.engine.git_revision import git_revision
from training.engine.result_store import write_json
from training.evaluation.clip_steps import TorchRecognizer, never_heard, run_clips
from training.evaluation.crossval import evaluated
from training.recipe.model import build_model, network_weights

WEIGHTS = "weights_sha256"
"""Of a calibration: of which network it is."""


def calibrate(
    checkpoint: Path, corpora: Path, names: Sequence[str], out: Path
) -> dict[str, Any]:
    """Fit temperatures and the threshold of `uncertain` on corpora left out.

    What scores one of them is fitted on the others; what ships, on all.

    Args:
        checkpoint: of `python -m training train`.
        corpora: folder with them.
        names: two corpora or more that are not in its training.
        out: JSON to write, which `python -m export --crossval` reads; the picture of
            the risk-coverage curve goes beside it.

    Raises:
        ConfigError: if a corpus was in training, or there is but one.
        SourceError: if one is not there.
    """
    saved = load_checkpoint(checkpoint)
    model, config = build_model(saved)
    clips = never_heard(config, corpora, names)
    if len(clips) < 2:
        raise ConfigError(
            f"calibration needs two corpora or more, each scored by what was fitted on "
            f"the others; given: {', '.join(clips) or 'none'}"
        )
    recognizer = TorchRecognizer(model, config.labels)
    result = {
        "protocol": (
            f"whole clips of {', '.join(clips)}, none of them in training, through the "
            "streaming pipeline; the network itself, last epoch; calibration and "
            "threshold from the other of these corpora"
        ),
        "left_out": list(clips),
        "config": config.to_dict(),
        WEIGHTS: weights_sha256(network_weights(saved["weights"])),
        "revisions": [git_revision()],
        **evaluated(
            [
                list(run_clips(recognizer, config.front_end, of))
                for of in clips.values()
            ],
            config.labels,
            out.with_suffix(".png"),
            config.model.geometry.max_columns,
        ),
    }
    write_json(out, result)
    return result


def check_calibrated(path: Path, found: Mapping[str, Any], checkpoint: Path) -> None:
    """Refuse temperatures that were fitted on another network, as before `recentre`.

    Args:
        path: of the calibration, or of a cross-validation, which has networks of its
            own; so has one of an earlier version, which does not tell.
        found: what it holds.
        checkpoint: of the network that is to have them.

    Raises:
        ModelError: if they were.
    """
    if WEIGHTS not in found:
        return
    saved = load_checkpoint(checkpoint)
    if found[WEIGHTS] != weights_sha256(network_weights(saved["weights"])):
        raise ModelError(
            f"{path} was fitted on another network than {checkpoint} (recentred.pt is "
            f"another than checkpoint.pt); give that one, or `python -m training "
            f"calibrate {checkpoint}`"
        )
