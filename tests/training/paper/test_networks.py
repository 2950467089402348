"""The networks of the paper's tables, and the faster arithmetic of training on CPUs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_stream.nn import cpu_ops
from ser_stream.nn.cpac import ConvBlock, Cpac, CpacConfig
from ser_stream.nn.cpu_ops import (
    compiled_loops,
    convolution,
    dropout,
    elu_pool,
    elu_pool_dropout,
)
from training.paper.clip_batches import ClipBatches, MaskConfig
from training.paper.networks import Kind, Reading, build_network, cpac_config


@pytest.mark.parametrize("shape", [(2, 3, 8, 6), (1, 4, 7, 5), (2, 1, 2, 3)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_elu_pool_is_torchs_elu_and_pool(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=layout)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    a, b = elu_pool(ours), F.avg_pool2d(F.elu(theirs), 2)
    torch.testing.assert_close(a, b)
    weights = torch.randn_like(a)
    torch.autograd.backward([(a * weights).sum(), (b * weights).sum()])
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_elu_pools_gradient_is_that_of_its_value() -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(elu_pool, (x,))


@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(probability: float) -> None:
    torch.manual_seed(2)
    x = torch.ones(8, 64, 30, 10).contiguous(memory_format=torch.channels_last)
    y = dropout(x, probability)
    assert float((y == 0).float().mean()) == pytest.approx(probability, abs=0.01)
    assert float(y.mean()) == pytest.approx(1.0, abs=0.02)
    assert y.is_contiguous(memory_format=torch.channels_last)
    # Not the same elements every time, and none at all without a probability.
    assert not torch.equal(y, dropout(x, probability))
    assert torch.equal(dropout(x, 0.0), x)


@pytest.mark.parametrize("layout", ["sliced", "channels last", "plain"])
def test_dropout_takes_any_layout(layout: str) -> None:
    torch.manual_seed(2)
    x = torch.ones(8, 16, 30, 20)
    x = {
        "sliced": x[:, ::2, :, 3:],
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "plain": x,
    }[layout]
    y = dropout(x, 0.5)
    assert y.shape == x.shape
    assert float((y == 0).float().mean()) == pytest.approx(0.5, abs=0.02)


def can_compile() -> bool:
    """Whether there is what `torch.compile` needs on a CPU."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return bool(shutil.which("g++")) and header.exists()


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_compiled_loops_give_what_plain_ones_give(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "bfloat16":
        # The loops as they are written; to compile them takes long.
        monkeypatch.setattr(cpu_ops, "_compiled", lambda function: function)
    elif not can_compile():
        pytest.skip("needs g++ and Python's headers")
    failures: list[BaseException] = []
    monkeypatch.setattr(cpu_ops, "_failures", failures)
    dtype: torch.dtype = getattr(torch, kind)
    # Plain, bfloat16 is rounded after each operation.
    error = 1e-5 if dtype == torch.float32 else 0.03
    # One kernel for all shapes, and edges that the pool leaves out.
    for shape, probability in (
        ((2, 32, 9, 7), 0.25),
        ((3, 32, 8, 6), 0.25),
        ((2, 64, 10, 5), 0.5),
        ((4, 32, 3, 2), 0.1),
    ):
        torch.manual_seed(5)
        x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
        seen = []
        for wanted in (False, True):
            one = x.clone().requires_grad_()
            torch.manual_seed(6)  # The same elements are dropped.
            with compiled_loops(wanted):
                y = elu_pool_dropout(one, probability)
            assert y.is_contiguous(memory_format=torch.channels_last)
            y.float().square().sum().backward()  # type: ignore[no-untyped-call]
            seen.append((y, one.grad))
        assert float((seen[0][0] == 0).float().mean()) > probability / 3
        torch.testing.assert_close(seen[1], seen[0], atol=error, rtol=error)
    assert failures == []


@pytest.mark.parametrize("broken", ["_forward", "_backward"])
def test_what_cannot_be_compiled_is_computed_plainly(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: Any) -> Tensor:
        raise RuntimeError("no C++ compiler")

    def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return no_compiler if function.__name__ == broken else function

    failures: list[BaseException] = []
    monkeypatch.setattr(cpu_ops, "_failures", failures)
    torch.manual_seed(5)
    x = torch.randn(2, 8, 9, 7).contiguous(memory_format=torch.channels_last)
    seen = []
    for patched in (False, True):
        if patched:
            monkeypatch.setattr(cpu_ops, "_compiled", compiled)
        one = x.clone().requires_grad_()
        torch.manual_seed(6)
        with compiled_loops(patched):
            y = elu_pool_dropout(one, 0.25)
        y.square().sum().backward()  # type: ignore[no-untyped-call]
        seen.append((y, one.grad, torch.rand(1)))
    # And the generator is where it would be.
    torch.testing.assert_close(seen[1], seen[0])
    assert [str(one) for one in failures] == ["no C++ compiler"]


def test_without_a_compiler_a_training_step_is_as_before(tmp_path: Path) -> None:
    code = """
import torch
from ser_stream.nn import cpu_ops
from ser_stream.nn.cpac import Cpac, CpacConfig
torch.manual_seed(0)
cpac = Cpac(CpacConfig.as_published_code(4)).to(memory_format=torch.channels_last)
with cpu_ops.compiled_loops():
    cpac(torch.randn(2, 62, 39)).sum().backward()
print(len(cpu_ops._failures), cpac.encoder.blocks[0].conv.weight.grad.norm() > 0)
"""
    environment = {**os.environ, "CXX": "/bin/false"}
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("1 tensor(True)\n", 0), done.stderr


@pytest.mark.parametrize("reading", get_args(Reading))
def test_all_blocks_of_a_training_step_are_compiled(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        asked.append(function.__name__)
        return function

    monkeypatch.setattr(cpu_ops, "_compiled", compiled)
    network = build_network("cpac", cpac_config(reading, 5))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    frames = torch.randn(2, 62, 39)
    network(frames)
    with compiled_loops():
        network.eval()(frames)
        assert asked == []
        network.train()(frames).sum().backward()
    assert asked == ["_forward"] * 3 + ["_backward"] * 3


@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((2, 4, 12, 3), 3, 1), ((2, 4, 27, 16), 9, 4), ((1, 2, 14, 9), 5, 2)],
)
def test_convolution_as_a_product_is_torchs(
    shape: tuple[int, ...], size: int, stride: int
) -> None:
    torch.manual_seed(7)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, shape[1], size, size, dtype=torch.float64)
    weight.requires_grad_()
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    ours = convolution(x, weight, bias, stride)
    theirs = F.conv2d(x, weight, bias, stride).permute(0, 2, 3, 1)
    torch.testing.assert_close(ours, theirs)
    share = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, (x, weight, bias), share),
        torch.autograd.grad(theirs, (x, weight, bias), share),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_an_input_smaller_than_a_kernel_is_refused() -> None:
    weight, bias = torch.zeros(2, 1, 3, 3), torch.zeros(2)
    with pytest.raises(ValueError, match="larger than the input, 2 x 5"):
        convolution(torch.zeros(1, 1, 2, 5), weight, bias)


def test_frozen_batch_norm_in_the_kernels_is_batch_norm_in_inference_mode() -> None:
    torch.manual_seed(3)
    cpac = Cpac(CpacConfig.as_published_code(4)).eval()
    block = cpac.encoder.blocks[0]
    assert isinstance(block, ConvBlock)
    with torch.no_grad():
        block.norm.weight.uniform_(0.5, 2.0)
        block.norm.bias.normal_()
        x = torch.randn(2, 1, 20, 39)
        expected = F.avg_pool2d(F.elu(block.norm(block.conv(x))), 2)
        torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_network_maps_frames_to_psi_and_logits(kind: Kind) -> None:
    torch.manual_seed(4)
    network = build_network(kind, cpac_config("as-published-code", 7))
    frames = 50.0 * torch.randn(3, 237, 39)
    assert network.features(frames).shape == (3, 64)
    logits = network(frames)
    assert logits.shape == (3, 7)
    logits.sum().backward()
    still = [n for n, p in network.named_parameters() if p.grad is None]
    assert still == []
    n_weights = sum(p.numel() for p in network.parameters())
    assert 0.1e6 < n_weights < 2.2e6


@pytest.mark.parametrize("reading", get_args(Reading))
def test_cpac_with_its_classifier_is_the_same_network(reading: Reading) -> None:
    config = cpac_config(reading, 6)
    network = build_network("cpac", config).eval()
    cpac = Cpac(config).eval()
    cpac.encoder.load_state_dict(network.get_submodule("encoder").state_dict())
    head = dict(network.get_submodule("head").state_dict())
    classifier = network.classifier.state_dict()
    head |= {f"classifier.{key}": value for key, value in classifier.items()}
    cpac.head.load_state_dict(head)
    frames = torch.randn(2, 118, 39)
    with torch.no_grad():
        torch.testing.assert_close(network(frames), cpac(frames))


def clips(lengths: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.normal(size=(n, 39)).astype(np.float32) for n in lengths]


def test_an_epoch_shows_every_clip_once_at_the_fixed_length() -> None:
    batches = ClipBatches(
        clips([50, 90, 120, 60]), [0, 1, 2, 3], batch_size=2, fixed=80
    )
    seen = list(batches.epoch(np.random.default_rng(0)))
    assert [tuple(b.frames.shape) for b in seen] == [(2, 80, 39)] * 2
    assert sorted(int(t) for b in seen for t in b.targets) == [0, 1, 2, 3]


def test_windows_are_of_whole_columns_and_no_longer_than_asked() -> None:
    lengths = list(np.random.default_rng(6).integers(45, 400, 64))
    batches = ClipBatches(clips(lengths), [0] * 64, batch_size=8, max_columns=15)
    widths = [b.frames.shape[1] for b in batches.epoch(np.random.default_rng(0))]
    assert all((width - 30) % 8 == 0 and 38 <= width <= 150 for width in widths)
    assert len(set(widths)) > 1


def test_masks_change_the_batch_and_not_the_clips() -> None:
    mask = MaskConfig(gain_db=20.0, time_masks=3)
    kept = clips([100, 100])
    before = [clip.copy() for clip in kept]
    batches = ClipBatches(kept, [0, 1], batch_size=2, fixed=100, mask=mask)
    plain = ClipBatches(kept, [0, 1], batch_size=2, fixed=100)
    rows = np.array([0, 1])
    rng = np.random.default_rng(1)
    masked = batches.batch(rows, rng).frames
    assert not torch.equal(masked, plain.batch(rows, rng).frames)
    # A gain is a constant on the first coefficient, the same in all frames.
    moved = masked[0] - plain.batch(rows, rng).frames[0]
    untouched = moved[:, 5] == 0
    assert untouched.any()
    assert moved[untouched][:, 0].std() < 1e-4
    assert all(np.array_equal(a, b) for a, b in zip(before, kept, strict=True))
