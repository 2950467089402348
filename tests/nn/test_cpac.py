"""The network: its two halves are the whole, and each column sees 38 frames."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from ser_stream.nn.cpac import (
    Cpac,
    CpacConfig,
    DigitCapsules,
    squash,
)
from ser_stream.pipeline.geometry import CPAC

FORMS = {
    "streaming": CpacConfig(),
    "as published": CpacConfig.as_published_code(7),
    "as written": CpacConfig.as_written(7),
    "no attention": CpacConfig(attention="none"),
}


def build(config: CpacConfig, seed: int = 0) -> Cpac:
    torch.manual_seed(seed)
    return Cpac(config).eval()


def frames(n: int, batch: int = 1, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n, 39, generator=generator)


def same(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a, b, rtol=1e-4, atol=1e-6))


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_encoder_and_head_on_slices_of_columns_are_the_whole_network(form: str) -> None:
    model = build(FORMS[form])
    x = frames(8 * 25 + 30)
    whole = model(x)
    pieces, k = [], 0
    for n in (1, 2, 2, 7, 13):  # Columns a step; each needs 30 frames of the last.
        pieces.append(model.encoder(x[:, 8 * k : 8 * (k + n) + 30]))
        k += n
    columns = torch.cat(pieces, dim=1)
    assert columns.shape == (1, 25, 6, 64)
    assert same(columns, model.encoder(x))
    assert same(model.head(columns), whole)
    assert float(whole.std()) > 0.0


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_steps_that_keep_two_rows_of_each_layer_give_the_same_columns(
    form: str,
) -> None:
    encoder = build(FORMS[form]).encoder
    x = frames(8 * 25 + 30)
    whole = encoder(x)
    # Without state: four frames that nothing looks at, and four columns to drop.
    noise = 50.0 * frames(4, seed=2)
    kept = [torch.zeros(shape) for shape in encoder.kept_shapes()]
    first, *kept = encoder.step(torch.cat([noise, x[:, : 8 * 3 + 30]], dim=1), *kept)
    pieces, end = [first[:, CPAC.cold_columns :]], 8 * 3 + 30
    for n in (1, 2, 2, 17):
        columns, *kept = encoder.step(x[:, end - 2 : end + 8 * n], *kept)
        pieces.append(columns)
        end += 8 * n
    assert [piece.shape[1] for piece in pieces] == [3, 1, 2, 2, 17]
    assert same(torch.cat(pieces, dim=1), whole)


@torch.no_grad()
def test_column_k_sees_frames_8k_to_8k_plus_37_and_nothing_else() -> None:
    model = build(CpacConfig())
    x = frames(8 * 6 + 30)
    columns = model.encoder(x)
    for k in range(6):
        outside = frames(8 * 6 + 30, seed=2) * 100.0
        outside[:, 8 * k : 8 * k + 38] = x[:, 8 * k : 8 * k + 38]
        assert same(model.encoder(outside)[:, k], columns[:, k])
    # Every one of the 38 frames counts, the first and the last as well.
    n = x.shape[1]
    changed = x + 10.0 * torch.eye(n).unsqueeze(-1)  # Row i differs in frame i alone.
    moved = (model.encoder(changed) - columns).abs().amax((2, 3)) > 1e-6
    expected = [[8 * k <= frame <= 8 * k + 37 for k in range(6)] for frame in range(n)]
    assert moved.tolist() == expected


@torch.no_grad()
def test_38_frames_are_one_column_and_frames_beyond_the_last_are_not_looked_at() -> (
    None
):
    model = build(CpacConfig())
    x = frames(45)
    assert model.encoder(x).shape == (1, 1, 6, 64)
    assert torch.equal(model(x), model(x[:, :38]))
    assert model.encoder(frames(46)).shape == (1, 2, 6, 64)


@torch.no_grad()
def test_rows_of_a_batch_do_not_touch_each_other() -> None:
    model = build(CpacConfig())
    x = frames(70, batch=3)
    assert same(model(x)[1], model(x[1:2])[0])


@torch.no_grad()
def test_squash_is_equation_1() -> None:
    s = torch.randn(5, 64, dtype=torch.float64) * torch.logspace(-2, 2, 5)[:, None]
    length = np.linalg.norm(s.numpy(), axis=-1, keepdims=True)
    expected = length**2 / (1 + length**2) * s.numpy() / length
    assert np.allclose(squash(s).numpy(), expected, rtol=1e-4)
    assert (squash(s).norm(dim=-1) < 1.0).all()


def test_squash_of_nothing_is_nothing_and_has_a_finite_gradient() -> None:
    s = torch.zeros(1, 64, requires_grad=True)
    squash(s).sum().backward()  # type: ignore[no-untyped-call]
    assert not squash(s).any()
    assert s.grad is not None
    assert torch.isfinite(s.grad).all()


@pytest.mark.parametrize("form", FORMS)
def test_the_network_has_about_a_third_of_a_million_parameters(form: str) -> None:
    n = sum(p.numel() for p in Cpac(FORMS[form]).parameters())
    assert 0.30e6 <= n <= 0.36e6


def statistics(model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    found = []
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            found.append((module.running_mean, module.running_var))
    return found


@pytest.mark.parametrize(
    ("form", "frozen"), [("as published", True), ("streaming", False)]
)
def test_the_published_code_keeps_its_batch_norm_statistics_at_0_and_1(
    form: str, frozen: bool
) -> None:
    model = build(FORMS[form]).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [p.clone() for p in model.encoder.blocks[0].norm.parameters()]  # type: ignore[union-attr]
    for seed in range(3):
        logits = model(5.0 * frames(70, batch=4, seed=seed) + 3.0)
        optimiser.zero_grad()
        logits.square().sum().backward()
        optimiser.step()
    assert len(statistics(model)) == 3
    for mean, variance in statistics(model):
        unmoved = not mean.any() and bool((variance == 1.0).all())
        assert unmoved is frozen
    # Scale and shift learn either way.
    after = list(model.encoder.blocks[0].norm.parameters())  # type: ignore[union-attr]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@torch.no_grad()
def test_with_the_mean_the_window_s_length_does_not_scale_the_features() -> None:
    def length(config: CpacConfig, n: int) -> float:
        model = build(config)
        column = model.encoder(frames(38))
        return float(model.head.features(column.repeat(1, n, 1, 1)).norm())

    mean, total = CpacConfig(), CpacConfig(routing="sum", gain=1.0)
    assert length(mean, 25) == pytest.approx(length(mean, 1), rel=1e-3)
    assert length(total, 25) > 100 * length(total, 1)


@torch.no_grad()
def test_routing_is_that_of_the_published_code_with_every_vote_built() -> None:
    config = CpacConfig.as_written(5)
    digit = DigitCapsules(config)
    capsules = torch.randn(2, 30, 64, generator=torch.Generator().manual_seed(3)) / 8
    # Source: Algorithm 1 of the paper; the shared map is one matrix of 64 x 384.
    weight = digit.weight.reshape(6, 64, 64)
    votes = torch.einsum("jok,bik->bjio", weight, capsules)
    agreement = torch.zeros(2, 6, 30)
    for i in range(3):
        coupling = torch.softmax(agreement, dim=1)
        s = (coupling.unsqueeze(-1) * votes).sum(2)
        if i < 2:
            unit = s / s.norm(dim=-1, keepdim=True)
            agreement = torch.einsum("bjo,bjio->bji", unit, votes)
    assert float(coupling.std()) > 0.01  # It routes: the couplings are not uniform.
    assert same(digit(capsules), squash(s))


@torch.no_grad()
def test_the_order_of_columns_does_not_matter_to_the_head() -> None:
    model = build(CpacConfig())
    columns = model.encoder(frames(8 * 10 + 30))
    assert same(model.head(columns.flip(1)), model.head(columns))


@torch.no_grad()
def test_fixed_statistics_standardise_the_frames() -> None:
    model = build(CpacConfig())
    x = frames(38)
    expected = model(x)
    model.encoder.mean.fill_(7.0)
    model.encoder.deviation.fill_(3.0)
    assert same(model(x * 3.0 + 7.0), expected)


def test_every_weight_learns() -> None:
    for config in FORMS.values():
        model = build(config).train()
        model(frames(70, batch=4)).square().sum().backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            if name != "head.attention.key.bias":  # softmax undoes a common shift
                assert weight.grad.abs().max() > 0.0, name


@pytest.mark.parametrize("form", FORMS)
def test_a_configuration_survives_its_plain_form(form: str) -> None:
    config = FORMS[form]
    values = {**config.to_dict(), "dropout": list(config.dropout)}
    assert CpacConfig.from_dict(values) == config
