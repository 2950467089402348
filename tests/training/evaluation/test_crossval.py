"""Cross-validation leaves out speakers of every corpus that has all labels."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")


from ser_stream.errors import ConfigError
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint
from training.evaluation.clip_steps import ClipSteps
from training.evaluation.crossval import crossval, held_out_groups, speaker_folds
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.train import TrainOptions

CONFIG = TrainConfig(
    name="tiny",
    corpora=(
        CorpusConfig("near"),
        CorpusConfig("far"),
        CorpusConfig("some", only=("happy", "sad")),
    ),
    epochs=1,
    batch_size=4,
    max_columns=4,
    noise="",
    folds=2,
)


CALM = TrainOptions(device="cpu", threads=1, progress=False)


def utterance(corpus: str, speaker: str, sex: str, emotion: str) -> Utterance:
    path = Path(f"{speaker}-{emotion}.wav")
    return Utterance(corpus, path, speaker, sex, emotion, "", "en")


PEOPLE = [("a", "female"), ("b", "female"), ("c", "male"), ("d", "male")]
CLIPS = [
    utterance(corpus, speaker, sex, emotion)
    for corpus in ("near", "far", "some")
    for speaker, sex in PEOPLE
    for emotion in ("happy", "sad")
]


def finished(out: Path, clips: list[Utterance], config: TrainConfig = CONFIG) -> None:
    """Folds as they are left behind: angry always, but those of `near` right."""
    for i, group in enumerate(held_out_groups(clips, config)):
        steps = []
        for clip in clips:
            if f"{clip.corpus}/{clip.speaker}" in group:
                truth = config.labels.index(clip.emotion)
                logits = [0.0] * 5
                logits[truth if clip.corpus == "near" else 0] = 2.0
                made = ClipSteps(clip.name, clip.speaker, truth, [1, 3], [logits] * 2)
                old = asdict(made)
                for key in ("corpus", "sex", "language"):
                    del old[key]
                steps.append(old)
        folder = out / f"fold-{i + 1}"
        folder.mkdir(parents=True)
        content = {"config": config.to_dict(), "revision": "abc", "clips": steps}
        (folder / "steps.json").write_text(json.dumps(content))


def test_a_fold_leaves_out_speakers_of_every_whole_corpus_and_of_both_sexes() -> None:
    assert held_out_groups(CLIPS, CONFIG) == [
        ["near/a", "near/c", "far/a", "far/c"],
        ["near/b", "near/d", "far/b", "far/d"],
    ]
    assert speaker_folds(CLIPS, "some", 2) == [["a", "c"], ["b", "d"]]


def test_too_few_speakers_and_no_whole_corpus_are_named() -> None:
    with pytest.raises(ConfigError, match=r"folds is 5, but .*near, far\) have 8"):
        held_out_groups(CLIPS, replace(CONFIG, folds=5))
    partial = replace(CONFIG, corpora=(CorpusConfig("some", only=("sad",)),))
    with pytest.raises(ConfigError, match=r"\(none\) have 0 speakers"):
        held_out_groups(CLIPS, partial)


def test_a_fold_may_leave_out_a_corpus_whole(tmp_path: Path) -> None:
    config = replace(CONFIG, held_out="corpora", folds=5)
    unnamed = utterance("near", "x", "male", "sad").without_name()
    groups = held_out_groups([*CLIPS, unnamed], config)
    assert groups[0] == [f"near/{who}" for who in ("a", "b", "c", "d", "unnamed")]
    assert groups[1] == ["far/a", "far/b", "far/c", "far/d"]
    assert len(groups) == 2
    finished(tmp_path, CLIPS, config)
    result = crossval(CLIPS, config, tmp_path, CALM)
    assert result is not None
    assert "leave-one-corpus-out on near, far; some (happy" in result["protocol"]
    assert result["fold_war"] == [100.0, 0.0]
    alone = replace(config, corpora=(CorpusConfig("near"),))
    with pytest.raises(ConfigError, match=r"two corpora or more .* there is near"):
        held_out_groups(CLIPS, alone)


def test_unnamed_speakers_are_never_held_out() -> None:
    more = [
        utterance("near", "x", "male", label).without_name()
        for label in ("happy", "sad")
    ]
    clips = [*CLIPS, *more]
    assert held_out_groups(clips, CONFIG) == held_out_groups(CLIPS, CONFIG)
    nobody = [u.without_name() if u.corpus == "far" else u for u in clips]
    with pytest.raises(ConfigError, match=r"far names no speaker, .* give it `only`"):
        held_out_groups(nobody, CONFIG)


def test_finished_folds_are_read_and_scored_by_corpus(tmp_path: Path) -> None:
    finished(tmp_path, CLIPS)
    result = crossval(CLIPS, CONFIG, tmp_path, CALM)
    assert result is not None
    written = json.loads((tmp_path / "crossval.json").read_text())
    assert written == json.loads(json.dumps(result))
    assert result["folds"] == held_out_groups(CLIPS, CONFIG)
    assert "leave-speakers-out on near, far: 2 folds" in result["protocol"]
    assert "some (happy, sad only) is in training in every" in result["protocol"]
    assert result["revisions"] == ["abc"]
    assert result["fold_war"] == [50.0, 50.0]
    metrics = result["metrics"]
    assert (metrics["n"], metrics["n_speakers"], metrics["UAR"]) == (16, 8, 50.0)
    assert metrics["corpora"]["near"]["UAR"] == 100.0
    assert metrics["corpora"]["far"]["UAR"] == 0.0
    # Folds of earlier versions do not say these: they come from the corpora.
    assert {s: row["n"] for s, row in metrics["sexes"].items()} == {
        "female": 8,
        "male": 8,
    }
    assert list(metrics["languages"]) == ["English"]
    assert len(result["temperatures"]) == 25
    assert (tmp_path / "risk_coverage.png").exists()


def test_a_fold_without_a_clip_of_the_labels_has_no_figure(tmp_path: Path) -> None:
    config = replace(CONFIG, corpora=(CorpusConfig("near"),), folds=4)
    clips = [c for c in CLIPS if c.corpus == "near"]
    finished(tmp_path, clips, config)
    path = tmp_path / "fold-4" / "steps.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "clips": []}))
    result = crossval(clips, config, tmp_path, CALM)
    assert result is not None
    assert result["fold_war"] == [100.0, 100.0, 100.0, None]
    assert "NaN" not in (tmp_path / "crossval.json").read_text()


def test_what_scores_a_fold_was_fitted_on_the_others(tmp_path: Path) -> None:
    near = replace(CONFIG, corpora=(CorpusConfig("near"),))
    clips = [c for c in CLIPS if c.corpus == "near"]
    finished(tmp_path, clips, near)
    # In the second fold every label becomes a wrong one.
    path = tmp_path / "fold-2" / "steps.json"
    content = json.loads(path.read_text())
    for clip in content["clips"]:
        clip["truth"] = (clip["truth"] + 1) % 5
    path.write_text(json.dumps(content))
    result = crossval(clips, near, tmp_path, CALM)
    assert result is not None
    # The first fold is scored by temperatures of the second, which is never right, and
    # so as flat as they go; the second by those of the first, as sharp as they go.
    sharp, flat = (np.exp([2 / t] + [0] * 4) for t in (0.25, 8.0))
    confidence = (flat[0] / flat.sum(), sharp[0] / sharp.sum())
    expected = ((1 - confidence[0]) + confidence[1]) / 2
    assert result["metrics"]["steps"]["ECE"] == pytest.approx(expected, abs=0.02)


def test_folds_of_another_configuration_are_not_mixed_in(tmp_path: Path) -> None:
    finished(tmp_path, CLIPS)
    with pytest.raises(
        ConfigError, match=r"another configuration \(epochs: 1 there, 2 now"
    ):
        crossval(CLIPS, replace(CONFIG, epochs=2), tmp_path, CALM)
    with pytest.raises(ConfigError, match="only is 3; allowed: 1 to 2"):
        crossval(CLIPS, CONFIG, tmp_path, CALM, only=3)


def test_a_fold_of_other_speakers_than_today_is_refused(
    tmp_path: Path, clip_corpora: Path
) -> None:
    config = replace(CONFIG, corpora=(CorpusConfig("clips"),))
    clips = load_corpora(clip_corpora, ["clips"])
    crossval(clips, config, tmp_path, CALM, only=1)
    # Sorted before all others, so that everyone changes the fold.
    more = [*clips, replace(clips[0], speaker="00", called="new")]
    assert held_out_groups(more, config)[1] == held_out_groups(clips, config)[0]
    for only in (1, None):
        with pytest.raises(ConfigError, match=r"steps.json was made of other clips"):
            crossval(more, config, tmp_path, CALM, only=only)
    assert not (tmp_path / "crossval.json").exists()
    # One that was killed in its training, neither: it has heard whom it should not.
    (tmp_path / "fold-1" / "steps.json").unlink()
    with pytest.raises(ConfigError, match=r"checkpoint.pt .* another set of clips"):
        crossval(more, config, tmp_path, CALM, only=1)
    crossval(clips, config, tmp_path, CALM, only=1)


def test_a_fold_trains_without_whom_it_scores(tmp_path: Path, data: Path) -> None:
    emotions = {"W": "angry", "A": "fear", "F": "happy", "N": "neutral", "T": "sad"}
    for corpus in ("near", "some"):
        (tmp_path / corpus).mkdir()
        with (tmp_path / corpus / "manifest.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "speaker", "emotion"])
            for path in sorted(data.glob("???????.flac")):
                emotion = emotions.get(path.stem[5])
                if emotion and (corpus == "near" or emotion in ("happy", "sad")):
                    (tmp_path / corpus / path.name).symlink_to(path)
                    writer.writerow([path.name, path.stem[:2], emotion])
    config = replace(
        CONFIG,
        corpora=(CorpusConfig("near"), CorpusConfig("some", only=("happy", "sad"))),
    )
    clips = load_corpora(tmp_path, ["near", "some"])
    out = tmp_path / "out"
    first, second = held_out_groups(clips, config)
    made = crossval(clips, config, out, CALM, only=2)
    assert made is None
    assert not (out / "fold-1").exists()
    heard = set(load_checkpoint(out / "fold-2" / "checkpoint.pt")["speakers"])
    partial = {f"some/{c.speaker}" for c in clips if c.corpus == "some"}
    assert heard == {*first, *partial}
    clips_scored = json.loads((out / "fold-2" / "steps.json").read_text())["clips"]
    assert {f"{c['corpus']}/{c['speaker']}" for c in clips_scored} == set(second)
    assert all(c["columns"] for c in clips_scored)
