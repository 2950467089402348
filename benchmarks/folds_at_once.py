"""Folds that share a network's shape: K networks step by step, or as one batched model.

`python -m benchmarks.folds_at_once` prints the CPU time of K separate training steps
divided by that of one step of all K together: above 1, together is faster. CPAC as the
published code has it, batches of 16 clips of 3 s, one thread, random input. Two ways:

- *vmap*: `torch.func.stack_module_state`, the whole network; plain ELU, pool and
  dropout, for `vmap` has no rule for those that `ser_stream.nn.cpu_ops` has.
- *grouped*: the convolution blocks by hand, groups for networks, with those operations.
"""

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, cast
from unittest import mock

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn import functional as F

from benchmarks.training_step import elu_pool_dropout
from ser_stream.nn import cpac
from ser_stream.nn.cpu_ops import dropout, elu_pool
from training.engine.fit import use_bf16
from training.paper.losses.margin import published_loss
from training.paper.networks import CpacNetwork, Network, build_network, cpac_config

N_CLASSES, BATCH, FRAMES = 7, 16, 237
ROUNDS, STEPS = 5, 2
"""Rounds of so many steps each way, in turn; the middle of their ratios is told."""

Step = Callable[[], Tensor]
"""The loss of all K networks on a batch of each."""


def networks(k: int) -> list[Network]:
    """K of them, as `reproduce` trains them."""
    config = cpac_config("as-published-code", N_CLASSES)
    made = [build_network("cpac", config) for _ in range(k)]
    for network in made:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


def separate(made: Sequence[Network], x: Tensor, y: Tensor) -> list[Step]:
    """A step of each network."""

    def step(i: int) -> Step:
        return lambda: published_loss(made[i](x[i]).float(), y[i], 0.1)

    return [step(i) for i in range(len(made))]


def by_vmap(made: Sequence[Network], x: Tensor, y: Tensor) -> tuple[Step, Any]:
    """One step of all; and the stacked weights."""
    weights, buffers = stack_module_state(list(made))
    shape = copy.deepcopy(made[0]).to("meta")

    def one(weights: Any, buffers: Any, frames: Tensor) -> Any:
        return functional_call(shape, (weights, buffers), (frames,))

    together = torch.vmap(one, randomness="different")

    def step() -> Tensor:
        with mock.patch.object(cpac, "elu_pool_dropout", elu_pool_dropout):
            logits = together(weights, buffers, x).float()
        return published_loss(logits.flatten(0, 1), y.flatten(), 0.1) * len(made)

    return step, list(weights.values())


class GroupedBlocks(nn.Module):
    """The convolution blocks and primary capsules of K networks: (B, K, T, 39) in."""

    def __init__(self, made: Sequence[Network]) -> None:
        super().__init__()
        # Any: of a `ModuleList`, mypy knows no attributes.
        encoders: list[Any] = [cast(CpacNetwork, network).encoder for network in made]
        self.k = len(encoders)
        self.probabilities = [block.dropout.p for block in encoders[0].blocks]
        convolutions = [
            *([e.blocks[i].conv for e in encoders] for i in range(3)),
            [e.primary for e in encoders],
        ]
        self.weights = nn.ParameterList(
            torch.cat([c.weight.detach() for c in of]) for of in convolutions
        )
        self.biases = nn.ParameterList(
            torch.cat([c.bias.detach() for c in of]) for of in convolutions
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        for i, probability in enumerate(self.probabilities):
            x = F.conv2d(x, self.weights[i], self.biases[i], groups=self.k)
            x = dropout(elu_pool(x), probability)
        return F.conv2d(x, self.weights[-1], self.biases[-1], groups=self.k)


def seconds(steps: Sequence[Step], weights: Sequence[Tensor], bf16: bool) -> float:
    """CPU time of `STEPS` steps with their gradients and Adam."""
    optimiser = torch.optim.Adam(weights, 1e-4)
    started = time.process_time()
    for _ in range(STEPS):
        for step in steps:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = step()
            loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
    return time.process_time() - started


def compare(k: int, bf16: bool) -> tuple[float, float]:
    """Separate over together: of the whole network by vmap, of the blocks in groups."""
    torch.manual_seed(98)
    made = networks(k)
    x, y = torch.randn(k, BATCH, FRAMES, 39), torch.randint(N_CLASSES, (k, BATCH))
    apart = separate(made, x, y)
    own = [p for network in made for p in network.parameters()]
    vmapped, stacked = by_vmap(made, x, y)
    blocks = [GroupedBlocks([network]).train() for network in made]
    group = GroupedBlocks(made).train()
    of_one = [
        lambda b=b, i=i: b(x[i].unsqueeze(1)).float().square().mean()
        for i, b in enumerate(blocks)
    ]
    joined = x.transpose(0, 1).contiguous()
    both: list[tuple[Sequence[Step], Sequence[Tensor]]] = [
        (apart, own),
        ([vmapped], stacked),
        (of_one, [p for b in blocks for p in b.parameters()]),
        ([lambda: group(joined).float().square().mean() * k], list(group.parameters())),
    ]
    rounds = [[seconds(*way, bf16) for way in both] for _ in range(ROUNDS + 1)][1:]
    vmap = statistics.median(a / b for a, b, _, _ in rounds)
    grouped = statistics.median(c / d for _, _, c, d in rounds)
    return vmap, grouped


def main() -> None:
    torch.set_num_threads(1)
    precisions = [False, True] if use_bf16(torch.device("cpu")) else [False]
    sys.stdout.write(
        "| K | precision | vmap | grouped blocks |\n| --- | --- | --- | --- |\n"
    )
    for k in (2, 5):
        for bf16 in precisions:
            vmap, grouped = compare(k, bf16)
            name = "bf16" if bf16 else "float32"
            sys.stdout.write(f"| {k} | {name} | {vmap:.2f} | {grouped:.2f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
