"""The networks that a room makes of one: rounds as they ship, and parts of them."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from ser_stream.adaptation.acceptance import verdict
from ser_stream.adaptation.child.mdd_round import RoundConfig, adapt
from ser_stream.adaptation.child.run import run_round
from ser_stream.adaptation.child.statistics import with_statistics_of
from ser_stream.adaptation.child.windows import LabelledWindows, read_windows
from ser_stream.adaptation.child_process import RoundJob
from ser_stream.adaptation.pack import FOLDER, SOURCE, WEIGHTS, Pack, load_pack
from ser_stream.adaptation.reservoir import CAPACITY, LEAST_WINDOWS, Reservoir
from ser_stream.commands.folder_speech import find_speech
from ser_stream.errors import ConfigError, SourceError
from ser_stream.model import Model
from ser_stream.nn.build import build
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.last_layer import LastLayer
from training.corpora import Utterance
from training.evaluation.unlabelled.centres import Centres

ROUNDS = 2
"""At most, each from what the last one made; a refused one ends it."""
SHIPPED = "MDD rounds as they ship"
ANY = "one MDD round, accepted or not"
CENTRED = "the same, both domains less their speakers' means"
STILL = "MDD in the head, less speakers' means without emotions, statistics as they are"
SOME_STATISTICS = "statistics of batch normalisation, 0.8 of the way"
ALL_STATISTICS = "the same, all of the way (AdaBN)"
NETWORKS = (SHIPPED, ANY, CENTRED, SOME_STATISTICS, ALL_STATISTICS)
HEADS = (STILL,)


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """A bundle, its pack, and what its last layer makes of features."""

    bundle: Bundle
    pack: Pack
    layer: LastLayer

    @staticmethod
    def of(name: str) -> "Begun":
        """Read a bundle that has its pack beside it.

        Raises:
            ConfigError: if its network is not told of the speaker, or hears windows
                whole.
            ModelError: if it has no pack.
        """
        bundle = load_bundle(name)
        layer = None if bundle.features is None else LastLayer.read(bundle.features)
        if layer is None or layer.emotions is None or bundle.geometry.whole:
            raise ConfigError(
                f"{name}: this is for bundles of CPAC that are told of the speaker, "
                "such as open"
            )
        pack = load_pack(bundle.folder / FOLDER, bundle)
        return Begun(bundle, pack, layer)

    def network(self, weights: Path | None = None) -> Cpac:
        """In evaluation mode; new at each call."""
        network = build(self.pack.network, self.pack.manifest[self.pack.network])
        network.load_state_dict(load_file(weights or self.pack.folder / WEIGHTS))
        return network.eval()

    def source(self) -> LabelledWindows:
        """Windows of the training speech."""
        return read_windows(self.pack.folder / SOURCE, self.bundle.geometry)

    def layer_of(self, network: Cpac, *, emotions: bool) -> LastLayer:
        """Its last layer, with or without what emotions do to features of the base."""
        last = network.head.classifier
        weight, bias = (part.detach().numpy() for part in (last.weight, last.bias))
        mean = network.head.mean.numpy()
        return LastLayer(mean, weight, bias, self.layer.emotions if emotions else None)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A network of a room, and whether what emotions do to features is kept for it."""

    network: Cpac
    emotions: bool = True


def networks(
    begun: Begun,
    heard: Sequence[Utterance],
    folder: Path,
    seed: int,
    names: Sequence[str] = NETWORKS,
) -> tuple[dict[str, Learned], dict[str, Any]]:
    """Those of the names that differ from the network begun with; what of the rounds.

    A room with too little speech for a round leaves everything as it is.
    """
    try:
        speech = find_speech(
            [clip.path for clip in heard], Model(begun.bundle), CAPACITY
        )
    except SourceError:
        return {}, {"rounds": [], "windows": f"under {LEAST_WINDOWS}"}
    found: dict[str, Learned] = {}
    target = [window.frames for window in speech.reservoir.windows()]
    told, base, source = list[str](), begun.network(), begun.source()
    torch.set_num_threads(1)
    config = RoundConfig()
    if STILL in names:
        head = replace(config, statistics_share=0.0)
        own = Centres(source, begun.layer.emotions)
        network = adapt(base, base, source, target, head, seed, centring=own)
        found[STILL] = Learned(network)
    if SHIPPED in names:
        told = _rounds(begun, speech.reservoir, folder, seed, found)
        own = Centres(source, None)
        network = adapt(base, base, source, target, config, seed, centring=own)
        found[CENTRED] = Learned(network)
        for name, share in ((SOME_STATISTICS, 0.8), (ALL_STATISTICS, 1.0)):
            found[name] = Learned(with_statistics_of(base, target, share))
    shutil.rmtree(folder, ignore_errors=True)
    return found, {
        "rounds": told,
        "windows": len(target),
        "speech_s": round(speech.speech_s, 1),
    }


def _rounds(
    begun: Begun,
    reservoir: Reservoir,
    folder: Path,
    seed: int,
    found: dict[str, Learned],
) -> list[str]:
    """What became of each; the networks of the first and of the last accepted."""
    shutil.rmtree(folder, ignore_errors=True)
    # In this process: the child would be as polite as it is beside a microphone.
    torch.set_num_threads(1)
    file = BytesIO()
    reservoir.write(file)
    speech = file.getvalue()
    bundle, done, told = begun.bundle, list[dict[str, Any]](), list[str]()
    for number in range(ROUNDS):
        out = folder / str(number)
        out.mkdir(parents=True)
        job = RoundJob.of(bundle, begun.pack, out, seed=100 * seed + number)
        evidence = run_round(asdict(job), BytesIO(speech), lambda share: None)
        if not number:
            found[ANY] = Learned(begun.network(out / WEIGHTS))
        refused = verdict(evidence, earlier=done)
        told.append("accepted" if refused is None else f"rejected: {refused}")
        if refused is not None:
            break
        done.append(evidence)
        bundle = load_bundle(str(out))
        # An adapted bundle has no features.npz: see `candidate.write_manifest`.
        found[SHIPPED] = Learned(begun.network(out / WEIGHTS), emotions=False)
    return told


@torch.no_grad()
def source_features(network: Cpac, source: LabelledWindows) -> np.ndarray:
    """Features of labelled windows, (n, n_features)."""
    found = []
    for window in source.all_frames():
        columns = network.encoder(torch.from_numpy(window)[None])
        found.append(network.head.features(columns)[0].numpy())
    return np.array(found)
