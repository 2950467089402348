"""The same operations as torch's, in fewer passes over memory: for training on CPUs.

Of a training step of CPAC on one CPU thread, convolutions take a third; ELU, average
pool and dropout, written plainly, take half. Compiled, they take a third of that.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_compile = ContextVar("_compile", default=False)


@contextmanager
def compiled_loops(wanted: bool = True) -> Iterator[bool]:
    """Compile `elu_pool_dropout` where it is used inside; the context says whether.

    Not where there is no C++ compiler. It takes some ten seconds for the first batch,
    and saves a third of the steps after that. The last bits of the result differ.
    """
    compiled = wanted and _can_compile()
    token = _compile.set(compiled)
    try:
        yield compiled
    finally:
        _compile.reset(token)


def elu_pool_dropout(x: Tensor, probability: float) -> Tensor:
    """`dropout(avg_pool2d(elu(x), 2))` of (B, C, H, W) -> (B, C, H // 2, W // 2).

    Inside `compiled_loops`, in one pass over memory each way. Dropout has eight random
    bits for each element, so `probability` is rounded to 1/256; torch draws 64 bits or
    more.
    """
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    if channels_last and _compile.get():
        result: Tensor = _Fused.apply(x, round(256 * probability))  # type: ignore[no-untyped-call]
        return result
    return dropout(elu_pool(x), probability)


def elu_pool(x: Tensor) -> Tensor:
    """`avg_pool2d(elu(x), 2)` of (B, C, H, W) -> (B, C, H // 2, W // 2)."""
    result: Tensor = _EluPool.apply(x)  # type: ignore[no-untyped-call]
    return result


def dropout(x: Tensor, probability: float) -> Tensor:
    """`torch.nn.functional.dropout` with eight random bits for each element."""
    threshold = round(256 * probability)
    if threshold == 0:
        return x
    # In the memory order of x, which is channels last as a rule.
    keep = torch.empty_like(x, dtype=torch.uint8, memory_format=torch.preserve_format)
    keep = keep.as_strided((x.numel(),), (1,)).copy_(_random_bytes(x.numel(), x.device))
    keep = keep.as_strided(x.shape, x.stride())
    return x * (keep >= threshold).to(x.dtype).mul_(256 / (256 - threshold))


def convolution(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """`conv2d` of (B, C, H, W) as a product of matrices -> (B, H', W', C').

    Faster where the kernel is large and little is left of the width: the gradients of
    CPAC's last convolution take a third of the time, those of CapsNet's a fifth.
    """
    size = weight.shape[2]
    height, width = ((n - size) // stride + 1 for n in x.shape[2:])
    x = x.permute(0, 2, 3, 1)
    # Rows in groups of `stride`: one slice of groups holds that many rows of the kernel
    # for every place it takes, and slices have cheap gradients.
    x = F.pad(x, (0, 0, 0, 0, 0, -x.shape[1] % stride))
    x = x.unflatten(1, (-1, stride))  # type: ignore[no-untyped-call]
    columns = [
        torch.cat(
            [
                x[:, i : i + height, : size - stride * i, j : j + size]
                for i in range(-(-size // stride))
            ],
            dim=2,
        ).flatten(2)
        for j in range(0, stride * width, stride)
    ]  # Each (B, H', size x size x C)
    kernels = weight.permute(0, 2, 3, 1).flatten(1)
    return F.linear(torch.stack(columns, 2), kernels, bias)


def _random_bytes(n: int, device: torch.device) -> Tensor:
    words = torch.empty((n + 7) // 8, dtype=torch.int64, device=device)
    return words.random_(-(2**63), None).view(torch.uint8)[:n]


class _EluPool(torch.autograd.Function):
    """ELU, then a 2x2 average pool; the gradient needs the ELU's output alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.clamp(x, max=0).expm1_()
        torch.maximum(x, y, out=y)
        ctx.save_for_backward(y)
        return F.avg_pool2d(y, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        slope = torch.clamp(y, max=0).add_(1)  # dELU/dx = ELU(x) + 1 below zero
        rows, columns = (2 * n for n in gradients[0].shape[2:])
        blocks = slope[:, :, :rows, :columns]
        blocks = blocks.unflatten(3, (-1, 2))  # type: ignore[no-untyped-call]
        blocks = blocks.unflatten(2, (-1, 2))
        blocks.mul_((gradients[0] * 0.25)[:, :, :, None, :, None])
        # What the pool leaves out at the edges.
        slope[:, :, rows:] = 0
        slope[:, :, :, columns:] = 0
        return slope


class _Fused(torch.autograd.Function):
    """ELU, 2x2 average pool and dropout as one compiled loop each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, threshold: int) -> Tensor:
        rows = x.permute(0, 2, 3, 1)  # Channels last, plainly: (B, H, W, C).
        n, h, w, c = rows.shape
        random = _random_bytes(n * (h // 2) * (w // 2) * c, x.device)
        random = random.view(n, h // 2, w // 2, c)
        ctx.save_for_backward(rows, random)
        ctx.threshold = threshold
        y: Tensor = _compiled(_forward)(rows, random, threshold)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        rows, random = ctx.saved_tensors
        gradient = gradients[0].permute(0, 2, 3, 1).contiguous()
        slope: Tensor = _compiled(_backward)(rows, random, gradient, ctx.threshold)
        return slope.permute(0, 3, 1, 2), None


def _forward(x: Tensor, random: Tensor, threshold: int) -> Tensor:
    def elu(part: Tensor) -> Tensor:
        part = part.float()
        return torch.where(part > 0, part, torch.exp(part) - 1)

    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    total = elu(x[:, 0:h:2, 0:w:2]) + elu(x[:, 1:h:2, 0:w:2])
    total = total + elu(x[:, 0:h:2, 1:w:2]) + elu(x[:, 1:h:2, 1:w:2])
    return (total * 0.25 * _kept(random, threshold)).to(x.dtype)


def _backward(x: Tensor, random: Tensor, gradient: Tensor, threshold: int) -> Tensor:
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    share = gradient.float() * 0.25 * _kept(random, threshold)

    def slope(row: int, column: int) -> Tensor:
        part = x[:, row:h:2, column:w:2].float()
        return (torch.exp(torch.clamp(part, max=0)) * share).to(x.dtype)

    rows = [torch.stack([slope(i, 0), slope(i, 1)], 3) for i in (0, 1)]
    blocks = torch.stack(rows, 2)  # (B, H / 2, 2, W / 2, 2, C)
    whole = blocks.reshape(len(x), h, w, x.shape[3])
    # What the pool leaves out at the edges.
    return F.pad(whole, (0, 0, 0, x.shape[2] - w, 0, x.shape[1] - h))


def _kept(random: Tensor, threshold: int) -> Tensor:
    # In float32: of uint8, the comparison is not vectorised (ten times slower).
    return torch.where(random.float() >= threshold, 256 / (256 - threshold), 0.0)


@functools.cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return torch.compile(function)


@functools.cache
def _can_compile() -> bool:
    # In this process: a pool of compilers would outlive a training that is killed.
    torch._inductor.config.compile_threads = 1
    try:
        torch.compile(torch.square)(torch.ones(2))
    except (RuntimeError, OSError):  # What inductor raises without a compiler.
        return False
    return True
