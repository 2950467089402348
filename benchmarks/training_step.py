"""What a training step costs on one CPU thread: as torch has its parts, and as trained.

`python -m benchmarks.training_step` prints, for each network of the paper's tables, the
CPU time of a step as it is trained (`ser_stream.nn.cpu_ops`, compiled, and Adam in one
loop), and how many times as long it takes in torch's own operations. Batches of 16
clips of 3 s, random input; the middle of interleaved rounds, in bfloat16 where that
pays.
"""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_stream.nn import cpac
from ser_stream.nn.cpu_ops import compiled_loops
from training.engine.fit import use_bf16
from training.paper import networks
from training.paper.losses.margin import published_loss
from training.paper.networks import Kind, Reading, build_network, cpac_config

N_CLASSES, BATCH, FRAMES = 7, 16, 237
ROUNDS, STEPS = 7, 5
NETWORKS: tuple[tuple[Kind, Reading], ...] = (
    ("cpac", "as-published-code"),
    ("cpac", "as-written"),
    ("algorithm-1", "as-published-code"),
    ("algorithm-2", "as-published-code"),
    ("algorithm-3", "as-published-code"),
)


def elu_pool_dropout(x: Tensor, probability: float) -> Tensor:
    """ELU, average pool and dropout in torch's own operations."""
    return F.dropout(F.avg_pool2d(F.elu(x), 2), probability)


def convolution(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """Torch's convolution, its result in the order of `cpu_ops.convolution`."""
    return F.conv2d(x, weight, bias, stride).permute(0, 2, 3, 1)


@contextlib.contextmanager
def in_torchs_operations() -> Iterator[None]:
    """As if there were no `cpu_ops`."""
    with contextlib.ExitStack() as stack:
        for module, name, plain in (
            (cpac, "elu_pool_dropout", elu_pool_dropout),
            (cpac, "convolution", convolution),
            (networks, "convolution", convolution),
            (networks, "dropout", F.dropout),
        ):
            stack.enter_context(mock.patch.object(module, name, plain))
        yield


def training_step(kind: Kind, reading: Reading, fused: bool) -> Callable[[], None]:
    """One step of a network on one batch: forward, gradients, Adam."""
    torch.manual_seed(98)
    network = build_network(kind, cpac_config(reading, N_CLASSES))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), 1e-4, fused=fused)
    x, y = torch.randn(BATCH, FRAMES, 39), torch.randint(N_CLASSES, (BATCH,))
    bf16 = use_bf16(torch.device("cpu"))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = published_loss(network(x).float(), y, 0.1)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def milliseconds(step: Callable[[], None]) -> float:
    """CPU time of one step, the mean of `STEPS`."""
    started = time.process_time()
    for _ in range(STEPS):
        step()
    return 1e3 * (time.process_time() - started) / STEPS


def compare(kind: Kind, reading: Reading) -> tuple[float, float]:
    """Milliseconds of a step as trained, and how many times as long torch's takes."""
    plain = training_step(kind, reading, fused=False)
    ours = training_step(kind, reading, fused=True)
    rounds = []
    for _ in range(ROUNDS + 1):
        with in_torchs_operations():
            before = milliseconds(plain)
        with compiled_loops():
            rounds.append((milliseconds(ours), before))
    rounds = rounds[1:]  # The first compiles.
    return (
        statistics.median(now for now, _ in rounds),
        statistics.median(before / now for now, before in rounds),
    )


def main() -> None:
    torch.set_num_threads(1)
    sys.stdout.write(
        "| network | ms a step | torch's over ours |\n| --- | --- | --- |\n"
    )
    for kind, reading in NETWORKS:
        now, ratio = compare(kind, reading)
        sys.stdout.write(f"| {kind}, {reading} | {now:.0f} | {ratio:.2f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
