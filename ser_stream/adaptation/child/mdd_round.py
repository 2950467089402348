"""One round of CAAM: margin disparity discrepancy from the active version's weights.

Eq. 5 to 7 of CTL-MTNet (Wen et al., IJCAI 2022), see `ser_stream.nn.mdd`. Labelled
windows of the pack are the source domain, windows of the reservoir the target. Each
domain is encoded with statistics of its own (the pack's, the room's), so that what is
left for f' to tell apart is more than level and colour; the network that comes out has
the room's.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ser_stream.adaptation.child.batches import (
    cropped,
    cropped_columns,
    drawn_length,
)
from ser_stream.adaptation.child.statistics import with_statistics_of
from ser_stream.adaptation.child.windows import LabelledWindows
from ser_stream.nn.cpac import Cpac, Encoder, Head
from ser_stream.nn.masked import masked_cross_entropy
from ser_stream.nn.mdd import ReluClassifier, margin_disparity, reverse_gradient
from ser_stream.pipeline.values import FloatArray

Scope = Literal["cheap", "whole"]


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

    Returns:
        The adapted network, in evaluation mode.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = with_statistics_of(
        _with_weights(base, current), target, config.statistics_share
    )
    before = _source_view(model, base)
    domains: Domains
    parameters: list[dict[str, Any]]
    if config.scope == "cheap":
        domains = EncodedDomains(before, model.encoder, source, target)
        parameters = [{"params": list(model.head.parameters())}]
    else:
        domains = FrameDomains(before, model.encoder, source, target)
        parameters = [
            {"params": list(model.head.parameters())},
            {
                "params": list(model.encoder.parameters()),
                "lr": config.encoder_rate * config.learning_rate,
            },
        ]
    adversary = ReluClassifier(model.config.n_classes, model.config.n_features)
    optimizer = torch.optim.AdamW(
        [
            *parameters,
            {"params": adversary.parameters(), "lr": config.adversarial_rate},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    weights = _balanced(source)
    for step in range(config.steps):
        most = min(config.most_columns, source.geometry.max_columns)
        n = drawn_length(rng, min(config.least_columns, most), most)
        rows = rng.choice(len(source), config.batch_size, p=weights)
        others = rng.choice(len(target), config.batch_size)
        # f' learns nothing in its first steps that psi should follow.
        reversal = min(1.0, step / (0.3 * config.steps))
        optimizer.zero_grad()
        for some in _parts(config.batch_size, domains.at_once):
            columns = domains.columns(rows[some], others[some], n, rng)
            loss = _loss(
                model.head, adversary, columns, source, rows[some], reversal, config
            )
            # Means over equal parts add up to the mean over all.
            (loss * (len(rows[some]) / len(rows))).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        on_step(step + 1)
    return model.eval()


def _with_weights(base: Cpac, current: Cpac) -> Cpac:
    """The active weights on the statistics that everything began with."""
    model = copy.deepcopy(current)
    for mine, first in zip(_norms(model.encoder), _norms(base.encoder), strict=True):
        mine.load_state_dict({**mine.state_dict(), **_statistics(first)})
    return model


def _source_view(model: Cpac, base: Cpac) -> Encoder:
    """The encoder of `model`, its parameters shared, with the statistics of `base`."""
    view = copy.deepcopy(base.encoder)
    shared = dict(model.encoder.named_parameters())
    for name, _ in list(view.named_parameters()):
        owner, _, leaf = name.rpartition(".")
        setattr(view.get_submodule(owner), leaf, shared[name])
    return view.eval()


def _norms(encoder: Encoder) -> list[nn.BatchNorm2d]:
    return [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]


def _statistics(norm: nn.BatchNorm2d) -> dict[str, Tensor]:
    state = norm.state_dict()
    return {name: state[name] for name in ("running_mean", "running_var")}


def _parts(size: int, at_once: int | None) -> Iterator[slice]:
    """A batch in parts of at most `at_once`."""
    step = at_once or size
    return (slice(first, first + step) for first in range(0, size, step))


class Domains:
    """Batches of encoder frames, (2 B, n, ...): source first, then target."""

    at_once: int | None = None
    """Windows of either domain that there is memory for; None: any number."""

    def columns(
        self,
        rows: np.ndarray,
        others: np.ndarray,
        n: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """Batches of `n` encoder frames of windows of the source and of the target."""
        raise NotImplementedError


class EncodedDomains(Domains):
    """Windows encoded once: the encoder does not learn."""

    @torch.no_grad()
    def __init__(
        self,
        source_encoder: Encoder,
        target_encoder: Encoder,
        source: LabelledWindows,
        target: Sequence[FloatArray],
    ) -> None:
        self._source = list(_encoded(source_encoder, list(_windows(source))))
        self._target = list(_encoded(target_encoder, target))

    def columns(
        self, rows: np.ndarray, others: np.ndarray, n: int, rng: np.random.Generator
    ) -> Tensor:
        return torch.cat(
            [
                cropped_columns([self._source[i] for i in rows], n, rng),
                cropped_columns([self._target[i] for i in others], n, rng),
            ]
        )


class FrameDomains(Domains):
    """Windows encoded at every step, for the encoder to learn."""

    at_once = 2
    """For its gradient the encoder keeps 8 MB of every window of 25 columns, and the
    holes that it leaves in memory fill slowly. Peak of a round on 400 windows of 25
    columns: 2 at once 560 MB, 4 670 MB for a little less time, all 32 1150 MB."""

    def __init__(
        self,
        source_encoder: Encoder,
        target_encoder: Encoder,
        source: LabelledWindows,
        target: Sequence[FloatArray],
    ) -> None:
        self._encoders = source_encoder, target_encoder
        self._source, self._target = list(_windows(source)), target
        self._geometry = source.geometry

    def columns(
        self, rows: np.ndarray, others: np.ndarray, n: int, rng: np.random.Generator
    ) -> Tensor:
        here, there = self._encoders
        return torch.cat(
            [
                encoder(cropped([windows[i] for i in which], n, rng, self._geometry))
                for encoder, windows, which in (
                    (here, self._source, rows),
                    (there, self._target, others),
                )
            ]
        )


def _windows(source: LabelledWindows) -> Iterator[FloatArray]:
    return (source.window(i) for i in range(len(source)))


def _encoded(encoder: Encoder, windows: Sequence[FloatArray]) -> Iterator[Tensor]:
    encoder.eval()
    for window in windows:
        yield encoder(torch.from_numpy(window)[None])[0]


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
) -> Tensor:
    head.train()
    n = len(rows)
    psi = head.features(columns)
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
