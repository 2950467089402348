"""The same operations as torch's, in fewer passes over memory: for training on CPUs.

Of a training step of CPAC on one CPU thread, convolutions take a third; ELU, average
pool and dropout, written plainly, take half.
"""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_log = logging.getLogger(__name__)
_compile = ContextVar("_compile", default=False)
_failures: list[BaseException] = []
"""What compiling has failed with in this process; after that it is not tried again."""


@contextmanager
def compiled_loops(wanted: bool = True) -> Iterator[None]:
    """Compile `elu_pool_dropout` where it is used inside.

    Without a C++ compiler all goes on as outside. Compiling takes some ten CPU seconds
    of a process, a minute where torch keeps no kernels of an earlier one, and saves a
    fifth of CPAC's steps after that. The last bits of the result differ.
    """
    token = _compile.set(wanted)
    try:
        yield
    finally:
        _compile.reset(token)


def elu_pool_dropout(x: Tensor, probability: float) -> Tensor:
    """`dropout(avg_pool2d(elu(x), 2))` of (B, C, H, W) -> (B, C, H // 2, W // 2).

    Inside `compiled_loops`, in one pass over memory each way, where x is channels last.
    Dropout is that of `dropout`.
    """
    threshold = round(256 * probability)
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    if not (threshold and channels_last and _compile.get()) or _failures:
        return dropout(elu_pool(x), probability)
    n, c, h, w = x.shape
    random = _random_bytes(n * c * (h // 2) * (w // 2), x.device)
    try:
        result: Tensor = _Fused.apply(x, random, threshold)  # type: ignore[no-untyped-call]
    except (RuntimeError, OSError) as error:
        _give_up(error)
        return _dropped(elu_pool(x), random, threshold)
    return result


def elu_pool(x: Tensor) -> Tensor:
    """`avg_pool2d(elu(x), 2)` of (B, C, H, W) -> (B, C, H // 2, W // 2)."""
    result: Tensor = _EluPool.apply(x)  # type: ignore[no-untyped-call]
    return result


def dropout(x: Tensor, probability: float) -> Tensor:
    """`torch.nn.functional.dropout` with eight random bits for each element.

    torch draws 64 bits or more an element. The probability is rounded to 1/256.
    """
    threshold = round(256 * probability)
    if threshold == 0:
        return x
    return _dropped(x, _random_bytes(x.numel(), x.device), threshold)


def _dropped(x: Tensor, random: Tensor, threshold: int) -> Tensor:
    # In the memory order of x, which is channels last as a rule.
    keep = torch.empty_like(x, dtype=torch.uint8, memory_format=torch.preserve_format)
    strides = keep.stride()
    keep = keep.as_strided((x.numel(),), (1,)).copy_(random)
    keep = keep.as_strided(x.shape, strides)
    return x * (keep >= threshold).to(x.dtype).mul_(256 / (256 - threshold))


def _random_bytes(n: int, device: torch.device) -> Tensor:
    words = torch.empty((n + 7) // 8, dtype=torch.int64, device=device)
    return words.random_(-(2**63), None).view(torch.uint8)[:n]


def convolution(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """`conv2d` of (B, C, H, W) as a product of matrices -> (B, H', W', C').

    Faster where the kernel is large and little is left of the width: the gradients of
    CPAC's last convolution take a third of the time, those of CapsNet's a fifth.

    Args:
        x: not padded.
        weight: square kernels, (C', C, K, K).
        bias: (C',).
        stride: of both axes.

    Raises:
        ValueError: if x is smaller than a kernel.
    """
    size = weight.shape[2]
    height, width = ((n - size) // stride + 1 for n in x.shape[2:])
    if height < 1 or width < 1:
        raise ValueError(
            f"the kernel, {size} x {size}, is larger than the input, "
            f"{x.shape[2]} x {x.shape[3]}"
        )
    x = x.permute(0, 2, 3, 1)
    # Rows in groups of `stride`: one slice of groups holds that many rows of the kernel
    # for every place it takes, and slices have cheap gradients.
    if spare := -x.shape[1] % stride:
        x = F.pad(x, (0, 0, 0, 0, 0, spare))
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
    def forward(ctx: Any, x: Tensor, random: Tensor, threshold: int) -> Tensor:
        rows = x.permute(0, 2, 3, 1)  # Channels last, plainly: (B, H, W, C).
        n, h, w, c = rows.shape
        random = random.view(n, h // 2, w // 2, c)
        ctx.save_for_backward(rows, random)
        ctx.threshold = threshold
        y: Tensor = _compiled(_forward)(rows, random, threshold)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rows, random = ctx.saved_tensors
        given = rows, random, gradients[0].permute(0, 2, 3, 1).contiguous()
        try:
            slope: Tensor = _compiled(_backward)(*given, ctx.threshold)
        except (RuntimeError, OSError) as error:
            _give_up(error)
            slope = _backward(*given, ctx.threshold)
        return slope.permute(0, 3, 1, 2), None, None


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
    from torch._inductor import config

    # In this process: a pool of compilers would outlive a training that is killed.
    config.compile_threads = 1
    # One kernel for all lengths of windows: with one for each, torch gives up after
    # eight and runs the parts one by one.
    return torch.compile(function, dynamic=True)


def _give_up(error: BaseException) -> None:
    _log.info("not compiled, so training is slower: %s", error)
    _failures.append(error)
