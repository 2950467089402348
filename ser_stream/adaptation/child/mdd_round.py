"""One round of CAAM: margin disparity discrepancy from the active version's weights.

Eq. 5 to 7 of CTL-MTNet (Wen et al., IJCAI 2022), see `ser_stream.nn.mdd`. Labelled
windows of the pack are the source domain, windows of the reservoir the target. Each
domain is encoded with statistics of its own (the pack's, the room's), so that what is
left for f' to tell apart is more than level and colour; the network that comes out has
the room's.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.adaptation.child.batches import cropped, cropped_columns
from ser_stream.adaptation.child.statistics import (
    norms_of,
    running,
    with_statistics_of,
)
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.adaptation.settings import Scope
from ser_stream.nn.cpac import Cpac, Encoder, Head
from ser_stream.nn.masked import masked_cross_entropy
from ser_stream.nn.mdd import ReluClassifier, margin_disparity, reverse_gradient
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.values import FloatArray

AT_ONCE = 2
"""Windows of either domain whose gradient the encoder has memory for: it keeps 8 MB of
every window of 25 columns, and the holes that it leaves in memory fill slowly. Peak of
a round on 400 windows of 25 columns: 2 at once 560 MB, 4 670 MB for a little less time,
all 32 1150 MB."""


@dataclass(frozen=True, slots=True)
class RoundConfig:
    """How far a round goes. Chosen on a corpus that no result is reported on."""

    scope: Scope = "cheap"
    """`cheap`: the head learns, and the encoder gets new statistics. `whole`: the
    encoder's kernels learn too, for some ten times the processor time."""
    steps: int = 100
    batch_size: int = 32
    """Windows of either domain in a step."""
    learning_rate: float = 3e-4
    """Learning rate of the network at first; it falls to 0 along a half cosine."""
    encoder_rate: float = 0.1
    """The encoder's learning rate, as a part of that."""
    adversarial_rate: float = 1e-2
    """Learning rate of f', which begins untrained."""
    gamma: float = 1.5
    eta: float = 1.0
    statistics_share: float = 0.8
    """See `with_statistics_of`."""
    label_smoothing: float = 0.1
    least_columns: int = 8
    most_columns: int = 25


def adapt(
    base: Cpac,
    current: Cpac,
    source: LabelledWindows,
    target: Sequence[FloatArray],
    config: RoundConfig,
    seed: int,
    on_step: Callable[[int], None] = lambda step: None,
    centring: "Centring | None" = None,
) -> Cpac:
    """Adapt a network to windows without labels.

    Args:
        base: the network that everything began with; its statistics are the source's.
        current: the active network, to begin from; neither is changed.
        source: labelled windows.
        target: frames of windows, (8 n_i + 30, n_features).
        config: how far to go.
        seed: of all that is drawn.
        on_step: called with the number of each step that is done, from 1.
        centring: what a network that is told of speakers learns features less;
            None: the mean of unknown voices; those of speakers did no better
            (docs/adaptation.md).

    Returns:
        The adapted network, in evaluation mode.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = with_statistics_of(
        _with_weights(base, current), target, config.statistics_share
    )
    learns = config.scope == "whole"
    view, geometry = _source_view(model, base), source.geometry
    here = Domain(view, source.all_frames(), geometry, learns)
    there = Domain(model.encoder, target, geometry, learns)
    adversary = ReluClassifier(model.config.n_classes, model.config.n_features)
    parameters: list[dict[str, Any]] = [
        {"params": model.head.parameters()},
        {"params": adversary.parameters(), "lr": config.adversarial_rate},
    ]
    if learns:
        rate = config.encoder_rate * config.learning_rate
        parameters.append({"params": model.encoder.parameters(), "lr": rate})
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    weights = _balanced(source)
    for step in range(config.steps):
        # The runtime's window grows from short to full.
        most = min(config.most_columns, geometry.max_columns)
        n = int(rng.integers(min(config.least_columns, most), most + 1))
        rows = rng.choice(len(source), config.batch_size, p=weights)
        others = rng.choice(len(target), config.batch_size)
        # f' learns nothing in its first steps that psi should follow.
        reversal = min(1.0, step / (0.3 * config.steps))
        optimizer.zero_grad()
        part = AT_ONCE if learns else len(rows)
        for first in range(0, len(rows), part):
            some = rows[first : first + part]
            columns = torch.cat(
                [
                    here.columns(some, n, rng),
                    there.columns(others[first : first + part], n, rng),
                ]
            )
            loss = _loss(
                model.head,
                adversary,
                columns,
                source,
                some,
                reversal,
                config,
                None if centring is None else centring(model, here, there, step, some),
            )
            # Means over equal parts add up to the mean over all.
            (loss * (len(some) / len(rows))).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        on_step(step + 1)
    return model.eval()


def _with_weights(base: Cpac, current: Cpac) -> Cpac:
    """The active weights on the statistics that everything began with."""
    model = copy.deepcopy(current)
    for mine, first in zip(norms_of(model), norms_of(base), strict=True):
        for statistic, old in zip(running(mine), running(first), strict=True):
            statistic.copy_(old)
    return model


def _source_view(model: Cpac, base: Cpac) -> Encoder:
    """The encoder of `model`, its parameters shared, with the statistics of `base`."""
    view = copy.deepcopy(base.encoder)
    shared = dict(model.encoder.named_parameters())
    for name, _ in list(view.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        setattr(view.get_submodule(owner), leaf, shared[name])
    return view.eval()


class Domain:
    """Windows of one domain, encoded once, or at every step if the encoder learns."""

    def __init__(
        self,
        encoder: Encoder,
        windows: Sequence[FloatArray],
        geometry: Geometry,
        learns: bool,
    ) -> None:
        self._encoder = encoder
        self._windows = windows
        self._geometry = geometry
        self._encoded: list[Tensor] = []
        if not learns:
            with torch.no_grad():
                for window in windows:
                    self._encoded.append(encoder(torch.from_numpy(window)[None])[0])

    def encoded(self, i: int) -> Tensor:
        """Columns of a window, whole: (1, n, ...)."""
        if self._encoded:
            return self._encoded[i][None]
        result: Tensor = self._encoder(torch.from_numpy(self._windows[i])[None])
        return result

    def __len__(self) -> int:
        return len(self._windows)

    def columns(self, rows: np.ndarray, n: int, rng: np.random.Generator) -> Tensor:
        """A batch of `n` encoder frames of some of the windows, (B, n, ...)."""
        if self._encoded:
            return cropped_columns([self._encoded[i] for i in rows], n, rng)
        frames = cropped([self._windows[i] for i in rows], n, rng, self._geometry)
        result: Tensor = self._encoder(frames)
        return result


Centring = Callable[[Cpac, Domain, Domain, int, np.ndarray], Tensor]
"""Network, source, target, step, and the windows of the source in a batch, (B,) -> what
their features and those of as many of the target are taken less, (2 B, n_features)."""


def _balanced(source: LabelledWindows) -> np.ndarray:
    """Chance of each window to be drawn: the same for every class."""
    counts = np.bincount(source.label)
    weights = 1.0 / counts[source.label]
    result: np.ndarray = weights / weights.sum()
    return result


def _loss(
    head: Head,
    adversary: nn.Module,
    columns: Tensor,
    source: LabelledWindows,
    rows: np.ndarray,
    reversal: float,
    config: RoundConfig,
    centre: Tensor | None = None,
) -> Tensor:
    head.train()
    n = len(rows)
    psi = head.centred(head.features(columns), centre)
    logits = head.classifier(head.dropout(psi))
    supervised = masked_cross_entropy(
        logits[:n],
        torch.from_numpy(source.label[rows]),
        torch.from_numpy(source.allowed[rows]),
        config.label_smoothing,
    )
    reversed_psi = reverse_gradient(psi, reversal)
    disparity = margin_disparity(
        logits[:n],
        adversary(reversed_psi[:n]),
        logits[n:],
        adversary(reversed_psi[n:]),
        config.gamma,
    )
    return supervised + config.eta * disparity
