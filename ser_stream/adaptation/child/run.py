"""A job -> a candidate bundle and the evidence for or against it."""

import json
import resource
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ser_stream.adaptation.acceptance import Limits
from ser_stream.adaptation.child.back_off import backed_off
from ser_stream.adaptation.child.canary import Canary
from ser_stream.adaptation.child.candidate import write_graphs, write_manifest
from ser_stream.adaptation.child.evidence import (
    network_scores,
    parameter_change,
    parity,
    reservoir_evidence,
    score_windows,
)
from ser_stream.adaptation.child.mdd_round import RoundConfig, adapt
from ser_stream.adaptation.child.process import bound_memory
from ser_stream.adaptation.child.windows import LabelledWindows, read_windows
from ser_stream.adaptation.child_process import RoundError
from ser_stream.adaptation.pack import CANARY, SOURCE, WEIGHTS, Pack, load_pack
from ser_stream.adaptation.reservoir import LEAST_WINDOWS
from ser_stream.adaptation.stored_windows import unpack
from ser_stream.errors import ModelError, SerStreamError
from ser_stream.nn.build import build
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import MANIFEST, Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray

SPARE = 0.5
"""Of what acceptance allows on the canary, that a step may cost: others follow."""
MEASURED = 200
"""Windows of the reservoir that the evidence rests on, spread over all of it."""
Job = Mapping[str, Any]


def run(job: Job, stdin: IO[bytes], stdout: IO[str]) -> int:
    """Run one job; see `ser_stream.adaptation.child.__main__` for what is said."""

    def say(**fields: object) -> None:
        stdout.write(json.dumps(fields) + "\n")
        stdout.flush()

    try:
        bound_memory(int(job["memory_mb"]))
        torch.set_num_threads(1)
        evidence = run_round(job, stdin, lambda share: say(progress=round(share, 3)))
    except (MemoryError, RuntimeError) as error:
        # torch has no type of its own for this.
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        say(error="the round asked for more memory than allowed", kind="memory")
    except SerStreamError as error:
        say(error=str(error), kind=getattr(error, "kind", "pack"))
    except OSError as error:
        say(error=f"the candidate cannot be written: {error}", kind="disk")
    else:
        say(evidence=evidence)
        return 0
    return 1


def run_round(
    job: Job, stdin: IO[bytes], on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Adapt, write the candidate to `job["out"]`, and measure it.

    Raises:
        SerStreamError: if the round cannot be run.
        OSError: if the candidate cannot be written.
    """
    bundle, out = load_bundle(job["bundle"]), Path(job["out"])
    pack = load_pack(Path(job["pack"]), bundle)
    target = _target_windows(stdin, bundle)
    base = _network(pack, pack.folder / WEIGHTS)
    current = _network(pack, Path(job["weights"]))
    source = _labelled(pack.folder / SOURCE, bundle)
    config = RoundConfig(scope=job["scope"])
    if job.get("steps") is not None:
        config = replace(config, steps=int(job["steps"]))
    # Encoding comes before the first step, measuring after the last.
    after = adapt(
        base,
        current,
        source,
        target,
        config,
        int(job["seed"]),
        lambda step: on_progress(0.1 + 0.7 * step / config.steps),
    )
    labelled = _labelled(pack.folder / CANARY, bundle)
    canary = Canary(labelled, bundle.temperatures, base)
    canary_heard = bool(pack.manifest.get("canary_heard_in_training", False))
    least = canary.base_recall - SPARE * Limits().total_loss(canary_heard)
    after, share = backed_off(current, after, canary.recall, least)
    write_graphs(bundle.folder, current, after, out)
    about = {"pack": pack.sha256, "windows": len(target), "scope": config.scope}
    write_manifest(bundle, after, about, out)
    on_progress(0.85)
    rows = np.linspace(0, len(target) - 1, min(MEASURED, len(target))).astype(int)
    some = [target[i] for i in rows]
    candidate = load_bundle(str(out))
    on_canary = [canary.scores_of(version) for version in (bundle, candidate)]
    on_target = [
        score_windows(OnnxRecognizer(one), some) for one in (bundle, candidate)
    ]
    parities = [
        parity(after, on_canary[1], canary.windows),
        parity(after, on_target[1], some),
    ]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **canary.evidence(*on_canary),
        "canary_heard": canary_heard,
        **reservoir_evidence(
            network_scores(base, some, bundle.temperatures),
            on_target[0].scores,
            on_target[1].scores,
        ),
        "parameter_change": parameter_change(current, after),
        "parameter_change_base": parameter_change(base, after),
        "parity": float(np.max(parities)),
        **about,
        "steps": config.steps,
        "share": share,
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_rss_mb": round(_peak_rss() / 1e6, 1),
    }


def _peak_rss() -> int:
    """Bytes. `ru_maxrss` begins at what the parent had when it forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _target_windows(stdin: IO[bytes], bundle: Bundle) -> list[FloatArray]:
    try:
        windows, _ = unpack(stdin.read(), len(bundle.labels), bundle.geometry)
    except ValueError as error:
        raise RoundError(f"the windows cannot be read: {error}", "heard") from None
    if len(windows) < LEAST_WINDOWS:
        raise RoundError(
            f"only {len(windows)} windows of speech; needed: {LEAST_WINDOWS}",
            "too_little",
        )
    return [window.frames.astype(np.float32) for window in windows]


def _labelled(path: Path, bundle: Bundle) -> LabelledWindows:
    """Windows of a pack that a network of the bundle can make something of."""
    windows = read_windows(path, bundle.geometry)
    found = windows.frames.shape[2], windows.allowed.shape[1]
    expected = bundle.front_end.n_features, len(bundle.labels)
    if found != expected:
        raise ModelError(
            f"{path} has {found[0]} features and {found[1]} classes, the model "
            f"{bundle.name} {expected[0]} and {expected[1]}; build the pack again"
        )
    return windows


def _network(pack: Pack, weights: Path) -> Cpac:
    try:
        network = build(pack.network, pack.manifest[pack.network])
        network.load_state_dict(load_file(weights))
    except (OSError, SafetensorError):
        raise ModelError(f"{weights} cannot be read as weights") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if "memory" in str(error):
            raise
        raise ModelError(
            f"{weights} does not hold the weights of the network that "
            f"{pack.folder / MANIFEST} describes under {pack.network}; build the "
            "pack again"
        ) from None
    return network.eval()
