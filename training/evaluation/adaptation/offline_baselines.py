"""What could be had from the same speech at once, offline, without acceptance.

The baselines beside the daemon: same network, same pack, the same half of the
speakers; all windows rather than a reservoir, no acceptance test, one go.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import soundfile
import torch

from ser_stream.adaptation.child.candidate import write_graphs, write_manifest
from ser_stream.adaptation.child.mdd_round import RoundConfig, adapt
from ser_stream.adaptation.child.statistics import with_statistics_of
from ser_stream.adaptation.child.windows import read_windows
from ser_stream.adaptation.pack import SOURCE
from ser_stream.model import Model
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.values import SAMPLE_RATE, SpeechWindow
from training.evaluation.adaptation.source_bundle import Prepared

OFFLINE = RoundConfig(steps=300)
"""As a round of the daemon, with three times its steps."""
Method = Callable[[Prepared, Sequence[SpeechWindow], int], tuple[Cpac, dict[str, Any]]]
"""Source network, windows, seed -> network, and what to say of how it came about."""


def heard_windows(recording: Path, bundle: Bundle) -> list[SpeechWindow]:
    """All windows that a listener of the unadapted pipeline is handed."""
    found: list[SpeechWindow] = []
    blocks = soundfile.blocks(recording, 60 * SAMPLE_RATE, dtype="float32")
    Model(bundle).record(blocks, found.append)
    return found


def written(network: Cpac, begun: Prepared, folder: Path, method: str) -> Bundle:
    """A network as a bundle: in the same graphs, so it is scored as the daemon's is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_graphs(begun.bundle.folder, begun.network(), network, folder)
    write_manifest(begun.bundle, network, {"method": method}, folder)
    return load_bundle(str(folder))


def adabn(
    begun: Prepared, windows: Sequence[SpeechWindow], seed: int
) -> tuple[Cpac, dict[str, Any]]:
    """Only the statistics of batch normalisation, of the target instead of the source.

    Nothing is trained; see `with_statistics_of`.
    """
    frames = [window.frames for window in windows]
    return with_statistics_of(begun.network(), frames, 1.0), {"windows": len(windows)}


def caam(
    begun: Prepared, windows: Sequence[SpeechWindow], seed: int
) -> tuple[Cpac, dict[str, Any]]:
    """A round of many steps on all windows; what learns is what `OFFLINE` says."""
    torch.set_num_threads(1)
    base = begun.network()
    network = adapt(
        base,
        base,
        read_windows(begun.pack.folder / SOURCE),
        [window.frames for window in windows],
        OFFLINE,
        seed,
    )
    return network, {"windows": len(windows), **asdict(OFFLINE)}


METHODS: dict[str, Method] = {"caam": caam, "adabn": adabn}
"""By the name under which results keep them."""
