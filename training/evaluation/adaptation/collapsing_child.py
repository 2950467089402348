"""In the adaptation worker's place: makes a network that says one class, always.

    python -m training.evaluation.adaptation.collapsing_child CLASS honest|lying

Its evidence is what it measures, as the worker does, or, lying, what it would have
measured had nothing changed.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ser_stream.adaptation.child.candidate import write_graphs, write_manifest
from ser_stream.adaptation.child.evidence import (
    canary_evidence,
    parameter_change,
    parity,
    reservoir_evidence,
    score_windows,
)
from ser_stream.adaptation.child.windows import read_windows
from ser_stream.adaptation.pack import CANARY
from ser_stream.adaptation.reservoir import Reservoir
from ser_stream.nn.build import CPAC, build
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import MANIFEST, Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer

BIAS = 20.0
"""On the logit of the class: no other has a chance."""


def main() -> None:
    """One round."""
    torch.set_num_threads(1)
    which, honest = int(sys.argv[1]), sys.argv[2] == "honest"
    job = json.loads(sys.stdin.buffer.readline())
    bundle, pack, out = load_bundle(job["bundle"]), Path(job["pack"]), Path(job["out"])
    reservoir = Reservoir.read(sys.stdin.buffer, len(bundle.labels))
    before, after = (_network(Path(job["weights"]), pack) for _ in range(2))
    with torch.no_grad():
        after.head.classifier.bias[which] += BIAS
    write_graphs(bundle.folder, before, after, out)
    write_manifest(bundle, after, {"collapse": bundle.labels[which]}, out)
    candidate, network = bundle, before
    if honest:
        candidate, network = load_bundle(str(out)), after
    found = {
        **_measured(bundle, candidate, network, pack, reservoir),
        "parameter_change": parameter_change(before, network),
        "parameter_change_base": parameter_change(before, network),
        "canary_heard": True,
    }
    sys.stdout.write(json.dumps({"evidence": found}) + "\n")


def _network(weights: Path, pack: Path) -> Cpac:
    manifest = json.loads((pack / MANIFEST).read_text(encoding="utf-8"))
    network = build(CPAC, manifest[CPAC])
    network.load_state_dict(load_file(weights))
    return network.eval()


def _measured(
    before: Bundle, after: Bundle, network: Cpac, pack: Path, reservoir: Reservoir
) -> dict[str, Any]:
    canary = read_windows(pack / CANARY)
    windows = [canary.window(i) for i in range(len(canary))]
    kept = [window.frames for window in reservoir.windows()]
    was, now = (OnnxRecognizer(bundle) for bundle in (before, after))
    of_canary = [score_windows(recognizer, windows) for recognizer in (was, now)]
    of_kept = [score_windows(recognizer, kept) for recognizer in (was, now)]
    # It begins from the base, so the active version is the unadapted one.
    return {
        **canary_evidence(
            of_canary[0].scores, of_canary[0].scores, of_canary[1].scores, canary
        ),
        **reservoir_evidence(of_kept[0].scores, of_kept[0].scores, of_kept[1].scores),
        "parity": parity(network, of_canary[1], windows),
    }


if __name__ == "__main__":
    main()
