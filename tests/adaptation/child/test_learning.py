"""What the child process is made of: statistics, steps of learning, new graphs."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

import torch
from safetensors.numpy import load_file as load_numbers
from safetensors.numpy import save as save_numbers
from safetensors.torch import load_file
from torch import Tensor, nn

from ser_stream.adaptation.child import mdd_round
from ser_stream.adaptation.child.candidate import write_graphs, write_manifest
from ser_stream.adaptation.child.mdd_round import (
    RoundConfig,
    _loss,
    _source_view,
    adapt,
)
from ser_stream.adaptation.child.statistics import with_statistics_of
from ser_stream.adaptation.child.windows import LabelledWindows, read_windows
from ser_stream.adaptation.pack import SOURCE, WEIGHTS, find_pack, load_pack
from ser_stream.errors import ModelError
from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.nn.mdd import ReluClassifier
from ser_stream.pipeline.bundle import Bundle, load_bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import FloatArray
from tests.helpers.speech_windows import heard_minute

OPEN = load_bundle("open")
PACK = load_pack(find_pack(OPEN), OPEN)
FEW = RoundConfig(steps=2, batch_size=4, least_columns=5, most_columns=8)


@cache
def network() -> Cpac:
    """That of the bundle `open`; a test that changes it takes a copy."""
    made = Cpac(CpacConfig.from_dict(PACK.manifest["cpac"]))
    made.load_state_dict(load_file(PACK.folder / WEIGHTS))
    return made.eval()


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@torch.no_grad()
def changed(model: Cpac) -> Cpac:
    """The same network with every number of it a little different."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(3)
    for tensor in other.state_dict().values():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            # Variances stay positive, zeros become something.
            tensor.mul_(torch.exp(0.1 * noise)).add_(0.003 * noise.abs())
    return other


@cache
def few_windows() -> LabelledWindows:
    """Each tenth of the pack's, 12 columns of it."""
    windows = read_windows(PACK.folder / SOURCE)
    rows = slice(None, None, 10)
    return LabelledWindows(
        windows.frames[rows, : 8 * 12 + 30],
        np.minimum(windows.columns[rows], 12),
        windows.label[rows],
        windows.speaker[rows],
        windows.allowed[rows],
    )


def heard() -> list[FloatArray]:
    return [window.frames for window in heard_minute()[:10]]


def incremental(recognizer: OnnxRecognizer, frames: FloatArray) -> FloatArray:
    """Logits of a window that is encoded a few columns at a time, as it comes in."""
    n = (len(frames) - 30) // 8
    cold = np.concatenate([np.zeros((4, frames.shape[1]), np.float32), frames[:70]])
    columns, state = recognizer.encode(cold, None)
    found = [columns]
    for first, last in pairwise([*range(5, n, 2), n]):
        new = frames[8 * first + 28 : 8 * last + 30]
        columns, state = recognizer.encode(new, state)
        found.append(columns)
    return recognizer.logits(np.concatenate(found))


def written(before: Cpac, after: Cpac, bundle: Bundle, out: Path) -> Bundle:
    out.mkdir()
    write_graphs(bundle.folder, before, after, out)
    write_manifest(bundle, after, {"windows": 26}, out)
    return load_bundle(str(out))


def test_graphs_written_with_the_same_weights_say_the_same(tmp_path: Path) -> None:
    again = OnnxRecognizer(written(network(), network(), OPEN, tmp_path / "same"))
    shipped = OnnxRecognizer(OPEN)
    for frames in heard()[:3]:
        said = incremental(shipped, frames)
        assert incremental(again, frames) == pytest.approx(said, abs=1e-4)


def test_graphs_with_every_number_changed_are_that_network(tmp_path: Path) -> None:
    other = changed(network())
    candidate = OnnxRecognizer(written(network(), other, OPEN, tmp_path / "other"))
    moved = 0.0
    for frames in heard()[:5]:
        with torch.no_grad():
            said = other(torch.from_numpy(frames)[None])[0].numpy()
            before = network()(torch.from_numpy(frames)[None])[0].numpy()
        assert incremental(candidate, frames) == pytest.approx(said, abs=1e-3)
        moved = max(moved, float(np.abs(said - before).max()))
    assert moved > 0.5  # there was something to see


@pytest.mark.parametrize("part", ["encoder.primary.weight", "head.digit.weight"])
def test_weights_of_another_network_are_refused(part: str, tmp_path: Path) -> None:
    stranger = copy.deepcopy(network())
    with torch.no_grad():
        stranger.get_parameter(part).flatten()[7] += 0.1
    with pytest.raises(ModelError, match="none of the weights; they belong to another"):
        write_graphs(OPEN.folder, stranger, stranger, tmp_path)


def test_a_candidate_is_a_bundle_that_knows_where_it_comes_from(tmp_path: Path) -> None:
    first = changed(network())
    child = written(network(), first, OPEN, tmp_path / "child")
    weights = Cpac(first.config)
    weights.load_state_dict(load_file(child.folder / WEIGHTS))
    grandchild = written(weights, changed(weights), child, tmp_path / "grandchild")
    base = {
        "name": "open",
        "sha256": OPEN.sha256,
        "files": {
            name: OPEN.manifest["files"][name] for name in ("encoder.onnx", "head.onnx")
        },
    }
    for bundle, parent in ((child, OPEN), (grandchild, child)):
        assert bundle.adapted
        assert bundle.name == "open"
        assert bundle.temperatures == OPEN.temperatures
        adaptation = bundle.manifest["adaptation"]
        assert adaptation == {"base": base, "parent": parent.sha256, "windows": 26}
        assert load_pack(PACK.folder, bundle).sha256 == PACK.sha256
        # What was measured of the model does not hold any more.
        assert "metrics" not in bundle.manifest
    assert OPEN.sha256 in (child.folder / "card.md").read_text()


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("label", lambda label: label + 5, "a label is of no class"),
        ("label", lambda label: label[:-1], "different numbers of windows"),
        ("allowed", np.zeros_like, "its corpus has no say about"),
        ("columns", np.zeros_like, "not of 1 to 25 columns|where the windows have"),
        ("low", lambda low: low * np.float32("nan"), "what is no number"),
    ],
)
def test_windows_that_make_no_sense_are_refused_in_a_line(
    name: str, change: Callable[[np.ndarray], np.ndarray], problem: str, tmp_path: Path
) -> None:
    numbers = load_numbers(PACK.folder / SOURCE)
    numbers[name] = np.ascontiguousarray(change(numbers[name]))
    (tmp_path / "w").write_bytes(save_numbers(numbers))
    with pytest.raises(ModelError, match=problem) as caught:
        read_windows(tmp_path / "w")
    assert "\n" not in str(caught.value)
    del numbers[name]
    (tmp_path / "w").write_bytes(save_numbers(numbers))
    with pytest.raises(ModelError, match=f"it has no {name}$"):
        read_windows(tmp_path / "w")


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def statistics(model: nn.Module) -> Tensor:
    return torch.cat(
        [
            number
            for norm in norms(model)
            for number in (norm.running_mean, norm.running_var)
            if number is not None
        ]
    )


def test_statistics_go_from_those_of_the_base_to_those_of_the_room() -> None:
    windows = [frames[: 8 * 15 + 30] for frames in heard()]
    before = state_of(network())
    # What torch estimates of one batch when it trains.
    reference = copy.deepcopy(network())
    for norm in norms(reference):
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad():
        reference.encoder(torch.from_numpy(np.stack(windows)))
    none, some, full = (
        with_statistics_of(network(), windows, share) for share in (0.0, 0.25, 1.0)
    )
    assert same(state_of(network()), before)
    assert torch.equal(statistics(none), statistics(network()))
    torch.testing.assert_close(statistics(full), statistics(reference))
    between = torch.lerp(statistics(network()), statistics(reference), 0.25)
    torch.testing.assert_close(statistics(some), between)
    assert not full.encoder.blocks[0].training
    assert not torch.allclose(statistics(full), statistics(network()), rtol=0.05)
    for name, tensor in full.named_parameters():
        assert torch.equal(tensor, network().get_parameter(name))


def test_a_round_is_decided_by_its_seed_and_changes_nothing_but_its_result() -> None:
    base, current = network(), changed(network())
    before = state_of(base), state_of(current)

    def adapted(seed: int) -> Cpac:
        steps: list[int] = []
        after = adapt(base, current, few_windows(), heard(), FEW, seed, steps.append)
        assert steps == [1, 2]
        assert not after.head.training
        return after

    one, again, another = adapted(5), adapted(5), adapted(6)
    assert same(state_of(one), state_of(again))
    assert not same(state_of(one.head), state_of(another.head))
    assert same(state_of(base), before[0])
    assert same(state_of(current), before[1])
    # Cheap: of the encoder only the statistics, from those of the base.
    for name, tensor in one.encoder.named_parameters():
        assert torch.equal(tensor, current.encoder.get_parameter(name))
    assert not same(state_of(one.head), state_of(current.head))
    room = with_statistics_of(base, heard(), 1.0)
    assert not torch.equal(statistics(one), statistics(current))
    assert not torch.equal(statistics(one), statistics(room))


def test_the_whole_network_learns_the_same_from_parts_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No dropout, nor any choice of columns: nothing is drawn but the rows.
    columns = 8
    config = replace(network().config, head_dropout=0.0, statistics_dropout=0.0)
    base = Cpac(config)
    base.load_state_dict(network().state_dict())
    source = few_windows()
    source = replace(
        source,
        frames=source.frames[:, : 8 * columns + 30],
        columns=np.minimum(source.columns, columns),
    )
    target = [frames[: 8 * columns + 30] for frames in heard()]
    steps = replace(
        FEW,
        scope="whole",
        batch_size=6,  # not a multiple of the part
        learning_rate=1e-3,
        least_columns=columns,
        most_columns=columns,
    )
    monkeypatch.setattr(mdd_round, "AT_ONCE", 4)
    parts = adapt(base, base, source, target, steps, 0)
    monkeypatch.setattr(mdd_round, "AT_ONCE", 32)
    at_once = adapt(base, base, source, target, steps, 0)
    for name, tensor in parts.named_parameters():
        if name == "head.attention.key.bias":
            # It adds the same to all logits of a softmax: its gradient is zero but for
            # rounding, of which Adam makes steps of any size.
            continue
        before = base.get_parameter(name)
        change = at_once.get_parameter(name) - before
        torch.testing.assert_close(tensor - before, change, atol=2e-5, rtol=0.02)
    assert not torch.equal(parts.encoder.primary.weight, base.encoder.primary.weight)


def test_the_source_is_seen_with_the_same_kernels_and_its_own_statistics() -> None:
    model = changed(network())
    view = _source_view(model, network())
    assert torch.equal(statistics(view), statistics(network()))
    shared = dict(view.named_parameters())
    assert shared.keys() == dict(model.encoder.named_parameters()).keys()
    for name, parameter in model.encoder.named_parameters():
        assert shared[name] is parameter
    assert not any(module.training for module in view.modules())


def test_a_class_that_no_corpus_may_speak_of_is_left_alone() -> None:
    source = few_windows()
    never = int(source.label[0])
    rows = source.label != never
    allowed = source.allowed[rows].copy()
    allowed[:, never] = False
    masked = LabelledWindows(
        source.frames[rows],
        source.columns[rows],
        source.label[rows],
        source.speaker[rows],
        allowed,
    )
    after = adapt(network(), network(), masked, heard(), FEW, 0)
    moved = (after.head.classifier.weight - network().head.classifier.weight).abs()
    assert moved[never].max() == 0
    assert after.head.classifier.bias[never] == network().head.classifier.bias[never]
    assert moved.sum(1).count_nonzero() >= 3


def test_f_prime_agrees_on_the_source_and_denies_on_the_target() -> None:
    # The head is left alone here; f' learns from the loss of a step.
    head, source = copy.deepcopy(network().head), few_windows()
    head.requires_grad_(False)
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    rows = np.arange(0, len(source), 2)
    with torch.no_grad():
        frames = torch.from_numpy(source.frames[rows, : 8 * 5 + 30])
        here = network().encoder(frames)
        there = 0.5 * here.flip(-1)  # another room: what is told is not how
        adversary = ReluClassifier(5, head.config.n_features)
    optimiser = torch.optim.Adam(adversary.parameters(), 0.02)
    both = torch.cat([here, there])
    for _ in range(100):
        optimiser.zero_grad()
        _loss(head, adversary, both, source, rows, 0.0, FEW).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    head.eval()
    agreement = [_agreement(head, adversary, columns) for columns in (here, there)]
    assert agreement[0] > 0.9
    assert agreement[1] < 0.1


@torch.no_grad()
def _agreement(head: nn.Module, adversary: nn.Module, columns: Tensor) -> float:
    psi: Tensor = head.centred(head.features(columns))  # type: ignore[operator]
    said: Sequence[int] = head(columns).argmax(1).tolist()
    return float(np.mean(np.array(said) == adversary(psi).argmax(1).numpy()))
