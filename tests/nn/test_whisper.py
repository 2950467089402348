"""A frozen encoder that hears a window whole, and CPAC's head behind it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import itertools

import torch
from torch.nn import functional as F

from export.parity import prove_parity
from ser_stream.config.for_model import pipeline_config
from ser_stream.config.listen import ListenConfig
from ser_stream.errors import ModelError
from ser_stream.model import Model
from ser_stream.nn.whisper import Block, FrozenWhisper, Int8Weight
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle, load_bundle, seal
from ser_stream.pipeline.front_end import frames_of
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer, softmax
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import Chunk, FloatArray, Prediction
from tests.helpers.made_once import MadeOnce
from tests.helpers.small_whisper import (
    CONFIG,
    FRONT_END,
    export_small_whisper,
    small_whisper,
)
from tests.helpers.streamed_speech import (
    CLIPS,
    clips_with_pauses,
    cut_up,
    first_turn,
    heard,
    same,
    spoken,
)
from training.corpora.utterance import read_samples


@pytest.fixture(scope="module")
def bundle(once: MadeOnce) -> Bundle:
    return load_bundle(str(once("small-whisper", export_small_whisper)))


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    return clips_with_pauses()


def test_a_weight_is_off_by_half_a_step_at_most() -> None:
    weight = torch.randn(7, 33, generator=torch.Generator().manual_seed(0))
    packed = Int8Weight(7, 33)
    packed.set(weight, torch.arange(7.0))
    step = weight.abs().amax(1, keepdim=True) / 127
    assert ((packed.full - weight).abs() <= 0.501 * step).all()
    assert torch.equal(packed.bias, torch.arange(7.0))


def test_weights_that_are_loaded_are_those_that_count() -> None:
    first, second = Int8Weight(3, 4), Int8Weight(3, 4)
    first.set(torch.ones(3, 4), torch.zeros(3))
    assert not second.full.any()
    second.load_state_dict(first.state_dict())
    assert torch.allclose(second.full, torch.ones(3, 4))


def test_a_block_is_the_one_that_torch_has() -> None:
    torch.manual_seed(1)
    width, heads = 16, 2
    torch_s = torch.nn.TransformerEncoderLayer(
        width,
        heads,
        4 * width,
        dropout=0.0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    ).eval()
    mine = Block(width, heads)
    for part, weight, bias in (
        (mine.qkv, torch_s.self_attn.in_proj_weight, torch_s.self_attn.in_proj_bias),
        (mine.out, torch_s.self_attn.out_proj.weight, torch_s.self_attn.out_proj.bias),
        (mine.up, torch_s.linear1.weight, torch_s.linear1.bias),
        (mine.down, torch_s.linear2.weight, torch_s.linear2.bias),
    ):
        part.set(weight.detach(), bias.detach())
        weight.data.copy_(part.full)  # the same rounding on both sides
    x = torch.randn(2, 9, width)
    with torch.no_grad():
        assert torch.allclose(mine(x), torch_s(x), atol=1e-5)


def test_the_level_does_not_matter() -> None:
    network = small_whisper()
    frames = frames_of(read_samples(CLIPS[0]), FRONT_END)
    with torch.no_grad():
        loud, quiet = (
            network(torch.from_numpy(frames[None, :200] + np.float32(gain)))
            for gain in (0.0, -40.0)
        )
    assert torch.allclose(loud, quiet, atol=1e-4)
    assert not torch.allclose(loud, network(torch.zeros(1, 200, 80)), atol=1e-2)


def test_columns_are_mean_and_deviation_of_the_tokens() -> None:
    frozen = small_whisper().encoder.frozen
    assert isinstance(frozen, FrozenWhisper)
    frames = torch.randn(1, 40, 80) * 10
    with torch.no_grad():
        tokens, columns = frozen.tokens(frames)[0], frozen(frames)[0]
    assert tokens.shape == (20, CONFIG.width)
    assert columns.shape == (4, 2 * CONFIG.width)
    third = tokens[10:15]
    assert torch.allclose(columns[2, : CONFIG.width], third.mean(0), atol=1e-5)
    deviation = F.mse_loss(third, third.mean(0).expand(5, -1), reduction="none").mean(0)
    assert torch.allclose(columns[2, CONFIG.width :].square(), deviation, atol=1e-4)


def test_the_graphs_say_what_the_network_says(bundle: Bundle) -> None:
    clips = [(path, read_samples(path)) for path in CLIPS]
    proof = prove_parity(small_whisper(), bundle, clips)
    assert proof.passed
    assert proof.steps > 20


def test_a_step_falls_due_when_the_bundle_says(
    bundle: Bundle, speech: FloatArray
) -> None:
    events = heard(Model(bundle).pipeline(), Chunk(0, speech))
    steps = [e for e in events if isinstance(e, Prediction)]
    assert {b.end - a.end for a, b in itertools.pairwise(steps)} == {8000}
    # Ten frames of 25 ms, 10 ms apart, are 1840 samples; a block ends at 3400.
    assert steps[0].end == 3400
    lengths = {step.columns for step in spoken(list(steps))}
    assert max(lengths) <= 30
    assert len(lengths) > 5


def test_whoever_wants_another_step_gets_it(bundle: Bundle) -> None:
    assert pipeline_config(ListenConfig(), bundle).step_s == 0.5
    assert pipeline_config(ListenConfig(step_s=0.2), bundle).step_s == 0.2


class OfStrangers(OnnxRecognizer):
    """Forgets the speaker from step to step."""

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        return super().scores(columns)


def test_live_is_what_the_whole_network_says_of_the_same_frames(
    bundle: Bundle, speech: FloatArray
) -> None:
    # Five seconds without a pause, so that the window slides.
    speech = np.concatenate([speech[:24_000]] * 4)
    network, frames = small_whisper(), frames_of(speech, bundle.front_end)
    config = PipelineConfig(step_s=bundle.step_s)
    pipeline = Pipeline(OfStrangers(bundle), bundle.front_end, config)
    turn = first_turn(spoken(pipeline.feed(Chunk(0, speech))))
    assert [step.columns for step in turn[-2:]] == [30, 30]
    assert turn[-2].start < turn[-1].start
    for step in turn:
        begin = step.start // 160
        cut = frames[begin : begin + 10 * step.columns]
        # The newest column ends less than 0.1 s before the step.
        assert 0 <= step.end - 160 * (begin + 10 * step.columns) - 240 < 1600
        with torch.no_grad():
            logits = network(torch.from_numpy(cut.copy())[None])[0].numpy()
        assert step.scores is not None
        np.testing.assert_allclose(step.scores, softmax(logits), atol=1e-3)


def test_a_recording_too_short_for_its_step_is_recognised(
    bundle: Bundle, speech: FloatArray
) -> None:
    found = Model(bundle).recognize(speech[:10_400])
    assert found.label in bundle.labels
    assert found.duration_s == 0.65


def test_a_bundle_whose_frames_are_not_its_front_end_s_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    for wrong, why in (
        (
            {"geometry": {**bundle.geometry.to_dict(), "hop_length": 200}},
            "other frames",
        ),
        ({"step_ms": 250}, "step_ms is 250"),
        ({"step_ms": "500"}, "step_ms is '500'"),
    ):
        folder = tmp_path / why
        shutil.copytree(bundle.folder, folder)
        seal(folder, {**bundle.manifest, **wrong}, (ENCODER, HEAD))
        with pytest.raises(ModelError, match=why):
            load_bundle(str(folder))


@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(1, 9_000), min_size=1, max_size=40))
def test_however_it_is_cut_it_says_the_same(
    bundle: Bundle, speech: FloatArray, cuts: list[int]
) -> None:
    model = Model(bundle)
    whole = heard(model.pipeline(), Chunk(0, speech))
    pieces = heard(model.pipeline(), *cut_up(speech, cuts))
    assert len(whole) == len(pieces)
    assert len(spoken(whole)) > 5
    assert all(map(same, whole, pieces))
