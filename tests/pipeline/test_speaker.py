"""The mean of a speaker's features: slow, causal, and the same however audio is cut."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import soundfile
import torch

from ser_stream.nn.cpac import Cpac
from ser_stream.nn.onnx_pair import write_pair
from ser_stream.pipeline.bundle import ENCODER, HEAD, load_bundle, seal
from ser_stream.pipeline.last_layer import SHRINK_S
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.speaker import (
    DELAY_S,
    LEAST_COLUMNS,
    MOST_HEARD_S,
    KnownVoice,
    Speaker,
)
from ser_stream.pipeline.values import Chunk, FloatArray, Gap, Prediction
from tests.data.make_tiny import CONFIG
from tests.helpers.made_once import MadeOnce
from tests.helpers.paths import MINUTE
from training.evaluation.clip_steps import TorchRecognizer

MODEL = replace(CONFIG.model, speaker_mean=True)


def network() -> Cpac:
    torch.manual_seed(5)
    model = Cpac(MODEL).eval()
    # Means of real size, so that they matter.
    model.head.mean.copy_(torch.randn(MODEL.n_features) * 0.2)
    return model


@pytest.fixture(scope="module")
def folder(once: MadeOnce, tiny: Path) -> Path:
    """A bundle whose network is told of the speaker."""

    def export(folder: Path) -> None:
        folder.mkdir()
        write_pair(network(), folder)
        manifest = load_bundle(str(tiny)).manifest
        seal(folder, manifest, (ENCODER, HEAD))

    return once("speaker", export)


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    samples: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    return samples[: 16_000 * 25]


def scores(recognizer: object, front_end: object, chunks: list[Chunk]) -> FloatArray:
    pipeline = Pipeline(recognizer, front_end)  # type: ignore[arg-type]
    return of(event for chunk in chunks for event in pipeline.feed(chunk))


def of(events: object) -> FloatArray:
    found = [e.scores for e in events if isinstance(e, Prediction)]  # type: ignore[attr-defined]
    return np.array([s for s in found if s is not None])


def test_nothing_is_known_at_first_and_what_is_said_counts_late() -> None:
    speaker, ones = Speaker(0.2), np.ones(3, np.float32)
    assert not speaker.total(3).any()
    speaker.add(ones, LEAST_COLUMNS - 1)
    for _ in range(round(DELAY_S / 0.2)):
        speaker.add(ones, LEAST_COLUMNS)
    assert speaker.seconds == 0
    speaker.add(ones, 25)
    assert speaker.seconds == pytest.approx(0.2)
    assert speaker.total(3) == pytest.approx(0.2 * ones)
    # The turn is over.
    speaker.pause()
    assert speaker.seconds == pytest.approx(0.2 + DELAY_S)
    assert speaker.total(3) == pytest.approx((0.2 + DELAY_S) * ones)


def test_what_was_heard_very_long_ago_fades_and_who_enrolled_does_not() -> None:
    heard, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
    speaker = Speaker(2.0, KnownVoice(5 * ones, 100.0))
    for _ in range(round(MOST_HEARD_S / 2.0)):
        speaker.add(heard, LEAST_COLUMNS)
        speaker.pause()
    assert speaker.seconds == pytest.approx(100 + MOST_HEARD_S)
    assert speaker.total(3) == pytest.approx(5 * ones)
    for _ in range(5 * round(MOST_HEARD_S / 2.0)):
        speaker.add(ones, LEAST_COLUMNS)
        speaker.pause()
    assert speaker.seconds == pytest.approx(100 + MOST_HEARD_S)
    assert speaker.total(3) == pytest.approx((5 + MOST_HEARD_S) * ones, rel=0.01)


def test_what_was_taught_is_the_same_however_audio_is_cut_and_moves_scores(
    speech: FloatArray, rng: np.random.Generator
) -> None:
    bundle = load_bundle("open")
    recognizer = OnnxRecognizer(bundle)
    layer = recognizer.last_layer
    assert layer is not None
    change = 0.3 * rng.standard_normal(layer.weight.shape).astype(np.float32)
    known = KnownVoice(20 * layer.mean, 20.0, change)
    edges = [0, *sorted(rng.integers(0, len(speech), 40)), len(speech)]
    cut = [Chunk(int(a), speech[a:b]) for a, b in pairwise(edges)]

    def said(chunks: list[Chunk], known: KnownVoice | None) -> FloatArray:
        speaker = Speaker(0.2, known)
        pipeline = Pipeline(recognizer, bundle.front_end, speaker=speaker)
        return of(event for chunk in chunks for event in pipeline.feed(chunk))

    whole = said([Chunk(0, speech)], known)
    assert np.array_equal(whole, said(cut, known))
    plain = said([Chunk(0, speech)], None)
    assert np.abs(whole - plain).max(1).min() > 1e-4  # from the first step on


def test_a_speakers_mean_is_shrunk_towards_that_of_the_training_speech() -> None:
    head = network().head
    own = torch.full((1, MODEL.n_features), 2.0)
    none, some = torch.zeros(1, 1), torch.tensor([[SHRINK_S]])
    assert torch.allclose(head.mean_of(torch.zeros_like(own), none), head.mean)
    half = head.mean_of(own * SHRINK_S, some)
    assert torch.allclose(half, (own + head.mean) / 2, atol=1e-5)


def test_graphs_and_network_are_told_the_same(folder: Path, speech: FloatArray) -> None:
    bundle = load_bundle(str(folder))
    graphs = scores(OnnxRecognizer(bundle), bundle.front_end, [Chunk(0, speech)])
    torch_side = TorchRecognizer(network(), bundle.labels, bundle.temperatures)
    whole = scores(torch_side, bundle.front_end, [Chunk(0, speech)])
    assert len(graphs) > 50
    assert np.abs(graphs - whole).max() < 1e-4


def test_what_was_said_before_counts_however_it_was_cut(
    folder: Path, speech: FloatArray, rng: np.random.Generator
) -> None:
    bundle = load_bundle(str(folder))
    recognizer = OnnxRecognizer(bundle)
    edges = [0, *sorted(rng.integers(0, len(speech), 40)), len(speech)]
    cut = [Chunk(int(a), speech[a:b]) for a, b in pairwise(edges)]
    told = scores(recognizer, bundle.front_end, [Chunk(0, speech)])
    assert np.array_equal(told, scores(recognizer, bundle.front_end, cut))

    class Forgetful(OnnxRecognizer):
        def scores(self, columns: FloatArray, speaker: object = None, /) -> FloatArray:
            return super().scores(columns)

    alone = scores(Forgetful(bundle), bundle.front_end, [Chunk(0, speech)])
    same = np.abs(told - alone).max(1) < 1e-6
    assert same[:5].all()
    assert not same[-20:].any()


def test_a_gap_and_a_change_of_settings_keep_the_speaker_another_model_does_not(
    folder: Path, speech: FloatArray
) -> None:
    bundle = load_bundle(str(folder))
    recognizer = OnnxRecognizer(bundle)
    first = Pipeline(recognizer, bundle.front_end)
    first.feed(Chunk(0, speech))
    events = first.feed(Chunk(len(speech) + 50_000, speech[:16_000]))
    assert any(isinstance(event, Gap) for event in events)
    heard = first.speaker.seconds
    assert heard > 5
    same = Pipeline(recognizer, bundle.front_end, PipelineConfig(window_s=2.0))
    same.take_over_from(first)
    assert same.speaker.seconds == heard
    other = Pipeline(OnnxRecognizer(bundle), bundle.front_end)
    other.take_over_from(same)
    assert other.speaker.seconds == 0
