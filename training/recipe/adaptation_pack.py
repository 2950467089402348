"""Writes an adaptation pack: whole, or not at all."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import save
from tqdm import tqdm

from ser_stream.adaptation.child.windows import (
    LabelledWindows,
    read_windows,
    write_windows,
)
from ser_stream.adaptation.pack import (
    CANARY,
    FORMAT,
    SOURCE,
    WEIGHTS,
    Pack,
    load_pack,
    seal_pack,
)
from ser_stream.errors import ModelError, SourceError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer, encode_window
from ser_stream.pipeline.values import FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.recipe.dataset import TrainingSet
from training.recipe.stream_window import speech_window

N_SOURCE, N_CANARY = 280, 90
"""Windows at most; together with the weights they make about 8 MB."""
LEAST_COLUMNS = 5
"""Of a window; shorter ones say too little to learn from or to test on."""
TOLERANCE = 1e-4
"""Largest allowed difference of logits between the weights and the graphs."""
N_COMPARED = 8
AT_ONCE = 40
"""Windows made in one go."""
_NOTHING: Any = object()

Item = TypeVar("Item")


def write_pack(
    model: Cpac,
    bundle: Bundle,
    source: TrainingSet,
    canary: Sequence[Utterance],
    out: Path,
    *,
    n_source: int = N_SOURCE,
    n_canary: int = N_CANARY,
    seed: int = 98,
    about: Mapping[str, object] | None = None,
    progress: bool = False,
) -> Pack:
    """Write the pack of a network.

    Args:
        model: whose weights the bundle's graphs hold.
        bundle: it must not be adapted.
        source: what the network was trained on, less the speakers of `canary`. Windows
            are drawn and augmented as in training: a network that rehearses them as
            they were recorded gets to know them by heart, and forgets all others.
        canary: labelled clips to draw from: as many of each corpus and class, until one
            is used up, and within them of each speaker. Clips of other classes are
            passed over.
        out: folder to write, absent or a pack already.
        n_source: windows of `source`.
        n_canary: windows of `canary` at most.
        seed: of what is drawn.
        about: what else the manifest is to say: corpora, licences, how it was made.
        progress: show progress bars.

    Raises:
        ModelError: if the weights are not those of the graphs, or `out` is something
            else.
        SourceError: if a speaker is in both parts, or a part has no speech.
    """
    _check(bundle, source.utterances, canary, out)
    only = {c.name: c.only for c in source.config.corpora if c.only}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".pack-") as made:
        part = Path(made) / "pack"
        part.mkdir()
        model.eval()
        weights = {name: x.contiguous() for name, x in model.state_dict().items()}
        (part / WEIGHTS).write_bytes(save(weights))
        rng = np.random.default_rng(seed)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "name": bundle.name,
            "labels": list(bundle.labels),
            "front_end_hash": bundle.front_end.hash,
            "model": {
                "name": bundle.name,
                "files": {
                    name: bundle.manifest["files"][name] for name in (ENCODER, HEAD)
                },
            },
            "network": source.config.network,
            source.config.network: model.config.to_dict(),
            "seed": seed,
            **(about or {}),
        }
        bar = tqdm(total=n_source + n_canary, unit="window", disable=not progress)
        with bar:
            parts = {
                SOURCE: _augmented(source, n_source, rng),
                CANARY: islice(
                    _heard(_drawn(canary, bundle.labels, only, rng), bundle, rng),
                    n_canary,
                ),
            }
            for name, windows in parts.items():
                manifest[Path(name).stem] = _write_part(
                    part / name, _counted(windows, bar), bundle, only
                )
        difference = _largest_difference(
            model, bundle, read_windows(part / CANARY, bundle.geometry)
        )
        if not difference <= TOLERANCE:  # also if it is no number
            raise ModelError(
                f"the weights are not those of {bundle.folder}: their logits differ by "
                f"{difference:.2g}; give the checkpoint that the bundle was exported "
                "from"
            )
        manifest["max_logit_difference"] = difference
        seal_pack(part, manifest)
        load_pack(part, bundle)
        # A kill between these two leaves the old pack in the temporary folder.
        if out.exists():
            out.rename(Path(made) / "old")
        part.rename(out)
    return load_pack(out, bundle)


def _check(
    bundle: Bundle, source: Sequence[Utterance], canary: Sequence[Utterance], out: Path
) -> None:
    if bundle.adapted:
        raise ModelError(
            f"{bundle.folder} is adapted already; a pack is made of the bundle that "
            "`python -m export` wrote"
        )
    both = {_speaker(u) for u in source} & {_speaker(u) for u in canary}
    if both:
        raise SourceError(
            f"{', '.join(sorted(both))} would be in the source and in the canary part; "
            "the canary must hold other speakers"
        )
    if not all(p.is_dir() for p in (out, *out.parents) if p.exists()):
        raise ModelError(f"{out} cannot be a folder: there is a file in its place")
    if out.exists() and not (out / WEIGHTS).is_file() and any(out.iterdir()):
        raise ModelError(f"{out} is not empty and no pack; name another folder")


def _speaker(utterance: Utterance) -> str:
    return f"{utterance.corpus}/{utterance.speaker}"


def _drawn(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    only: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> list[Utterance]:
    """All clips in an order of which every beginning is balanced.

    In turn over corpora and classes, and within these over speakers.
    """
    cells: dict[tuple[str, str], dict[str, list[Utterance]]] = defaultdict(dict)
    for u in sorted(utterances, key=lambda u: u.name):
        if u.emotion in labels and u.emotion in only.get(u.corpus, labels):
            cells[u.corpus, u.emotion].setdefault(u.speaker, []).append(u)
    turns = [
        _in_turn([_shuffled(clips, rng) for clips in _shuffled(speakers.values(), rng)])
        for speakers in cells.values()
    ]
    return _in_turn(turns)


def _shuffled(items: Iterable[Item], rng: np.random.Generator) -> list[Item]:
    known = list(items)
    return [known[i] for i in rng.permutation(len(known))]


def _in_turn(rows: Sequence[Sequence[Item]]) -> list[Item]:
    """The first of each row, then the second of each, until all are used up."""
    together = chain.from_iterable(zip_longest(*rows, fillvalue=_NOTHING))
    return [item for item in together if item is not _NOTHING]


def _augmented(
    source: TrainingSet, n: int, rng: np.random.Generator
) -> Iterator[tuple[Utterance, FloatArray]]:
    """Windows as training sees them, drawn alike over classes and speakers."""
    maker = source.maker(rng)
    rows = rng.choice(len(source), n, p=source.weights)
    for first in range(0, n, AT_ONCE):
        some = rows[first : first + AT_ONCE]
        frames = maker.windows(some, maker.geometry.max_columns).numpy()
        for i, window in zip(some, frames, strict=True):
            yield source.utterances[i], window


def _counted(
    windows: Iterable[tuple[Utterance, FloatArray]], bar: "tqdm[Any]"
) -> list[tuple[Utterance, FloatArray]]:
    result = []
    for window in windows:
        result.append(window)
        bar.update()
    return result


def _heard(
    utterances: Sequence[Utterance], bundle: Bundle, rng: np.random.Generator
) -> Iterator[tuple[Utterance, FloatArray]]:
    """Clips with enough speech, and its frames; each after another of its speaker."""
    of_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for u in utterances:
        of_speaker[_speaker(u)].append(u)
    for u in utterances:
        clips = of_speaker[_speaker(u)]
        before = read_samples(clips[rng.integers(len(clips))].path)
        samples, geometry = read_samples(u.path), bundle.geometry
        frames = speech_window(samples, bundle.front_end, before, geometry)
        if frames is not None and len(frames) >= geometry.n_frames(LEAST_COLUMNS):
            yield u, frames


def _write_part(
    path: Path,
    heard: Sequence[tuple[Utterance, FloatArray]],
    bundle: Bundle,
    only: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Write the windows of one part; what the manifest says of it."""
    if not heard:
        raise SourceError(f"no clip for the {path.stem} part has enough speech")
    speakers, labels = sorted({_speaker(u) for u, _ in heard}), bundle.labels
    write_windows(
        path,
        [frames for _, frames in heard],
        [labels.index(u.emotion) for u, _ in heard],
        [speakers.index(_speaker(u)) for u, _ in heard],
        [[label in only.get(u.corpus, labels) for label in labels] for u, _ in heard],
        bundle.geometry,
    )
    counts = Counter((u.corpus, u.emotion) for u, _ in heard)
    return {
        "windows": len(heard),
        "speakers": speakers,
        "of_class": {
            corpus: {label: counts[corpus, label] for label in labels}
            for corpus in sorted({u.corpus for u, _ in heard})
        },
    }


@torch.no_grad()
def _largest_difference(model: Cpac, bundle: Bundle, windows: LabelledWindows) -> float:
    """Between the logits of network and graphs, on windows of speech."""
    recognizer, differences = OnnxRecognizer(bundle), []
    for i in range(min(N_COMPARED, len(windows))):
        frames = windows.window(i)
        columns = encode_window(recognizer, frames)
        whole = model(torch.from_numpy(frames)[None])[0].numpy()
        differences.append(np.abs(whole - recognizer.logits(columns)))
    return float(np.max(differences))
