"""EmoBox's folds by one network for all corpora, on corpora cut from the minute."""

import csv
import importlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from typer.testing import CliRunner

from ser_stream.errors import ConfigError
from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.front_end import frames_of
from ser_stream.pipeline.values import FloatArray
from tests.helpers.minute import Said, utterances_of_the_minute, write_corpus
from tests.helpers.paths import ROOT
from training.__main__ import app
from training.corpora import Utterance, load_corpora
from training.corpora.emobox import EMOBOX_FOLDS
from training.corpora.known import PAPER
from training.corpora.utterance import read_samples
from training.engine.checkpoint import load_checkpoint
from training.engine.result_store import locked
from training.evaluation.clip_steps import TorchRecognizer, run_clips
from training.paper.emobox_joint import run
from training.paper.emobox_joint.clip_decision import clip_logits, decide, ungated
from training.paper.emobox_joint.folds import JointFold, classes, joint_folds
from training.protocols import PAPER_TABLES
from training.protocols.single import emobox_folds
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.train import TrainOptions
from training.report.load import load_runs
from training.report.page import build

CONFIGS = ROOT / "training/configs"
RUN = importlib.import_module("training.paper.emobox_joint.run")
CLASSES = {
    "casia": ("angry", "happy", "sad"),
    "emodb": ("angry", "fear", "happy", "neutral", "sad"),
    "crema-d": ("happy", "sad"),
}
N_FOLDS = {"casia": 2, "emodb": 3}
TOML = """
name = "tiny"
labels = ["angry", "boredom", "fear", "happy", "neutral", "sad"]
epochs = 1
batch_size = 4
max_columns = 4
noise = ""
[[corpora]]
name = "casia"
only = ["angry", "happy", "sad"]
[[corpora]]
name = "emodb"
[[corpora]]
name = "crema-d"
only = ["happy", "sad"]
[model]
n_filters = 8
n_primary = 3
capsule_dim = 16
n_statistics = 16
"""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The utterances of the minute as three corpora of fewer and fewer classes.

    In casia one clip more, without speech.
    """
    folder = tmp_path_factory.mktemp("corpora")
    noise = np.random.default_rng(1).normal(0, 1e-5, 60_000).astype(np.float32)
    for corpus, emotions in CLASSES.items():
        said = [one for one in utterances_of_the_minute() if one.emotion in emotions]
        if corpus == "casia":
            said.append(Said("hiss", "12", "sad", noise))
        write_corpus(folder / corpus, said)
    return folder


@pytest.fixture(scope="module")
def utterances(corpora: Path) -> list[Utterance]:
    return load_corpora(corpora, list(CLASSES))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TOML)
    return TrainConfig.read(path)


@pytest.fixture(scope="module", autouse=True)
def tiny_folds(
    utterances: list[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Casia dealt into two folds, EmoDB into three."""
    table = tmp_path_factory.mktemp("folds") / "folds.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["corpus", "file", "test_fold"])
        for corpus, n in N_FOLDS.items():
            of_corpus = [u for u in utterances if u.corpus == corpus]
            for i, u in enumerate(of_corpus):
                writer.writerow([corpus, u.path.name, i % n + 1])
    tiny = partial(emobox_folds, table=table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.paper.emobox_joint.folds.emobox_folds", tiny)
        yield


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place to work in."""
    monkeypatch.chdir(tmp_path)


class Trainer:
    """The real training, which notes what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: dict[str, set[str]] = {}
        self._train = RUN.train
        monkeypatch.setattr(RUN, "train", self)

    def __call__(
        self,
        utterances: Sequence[Utterance],
        config: TrainConfig,
        out: Path,
        options: TrainOptions,
        **more: Any,
    ) -> Path:
        self.heard[out.name] = {u.name for u in utterances}
        path: Path = self._train(utterances, config, out, options, **more)
        return path


def compute(
    utterances: list[Utterance],
    config: TrainConfig,
    only: int | None = None,
    results: Path = Path("results"),
    own_epochs: int = 0,
) -> list[str]:
    said: list[str] = []
    # The clips are the same in all tests, and so are their spectra.
    spectra = utterances[0].path.parents[1] / "spectra"
    run(
        utterances,
        config,
        Path("out"),
        results,
        TrainOptions(device="cpu", threads=1, progress=False, cache=spectra),
        only=only,
        own_epochs=own_epochs,
        say=said.append,
    )
    return said


@dataclass(frozen=True)
class Joint:
    """All folds, computed once for this module."""

    folder: Path
    said: list[str]
    heard: dict[str, set[str]]
    """The names of the clips that each fold was trained on."""

    def copy_fold(self, k: int) -> list[str]:
        """As if it alone had been computed here; what was said of it."""
        shutil.copytree(self.folder / f"out/fold-{k}", f"out/fold-{k}")
        for path in self.folder.glob(f"results/**/fold-{k}-*"):
            copy = path.relative_to(self.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        return [line for line in self.said if line.startswith(f"fold-{k}:")]


@pytest.fixture(scope="module")
def joint(
    utterances: list[Utterance],
    config: TrainConfig,
    tiny_folds: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Joint:
    folder = tmp_path_factory.mktemp("joint")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trainer = Trainer(patch)
        said = compute(utterances, config)
        return Joint(folder, said, trainer.heard)


def stored(corpus: str, k: int) -> dict[str, Any]:
    path = Path(f"results/emobox/cpac-joint/{corpus}/fold-{k}-seed-98.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def assert_kept_apart(folds: list[JointFold], utterances: list[Utterance]) -> None:
    """No fold trains on what it scores; every scored corpus is scored once, whole."""
    everything = {u.name for u in utterances}
    for fold in folds:
        train = {u.name for u in fold.train}
        test = {u.name for part in fold.test.values() for u in part}
        assert train
        assert test
        assert not train & test
        assert train | test == everything
    for corpus in {c for fold in folds for c in fold.test}:
        scored = [u.name for fold in folds for u in fold.test.get(corpus, ())]
        assert sorted(scored) == sorted(
            u.name for u in utterances if u.corpus == corpus
        )


def test_a_joint_fold_trains_on_no_test_clip_of_any_corpus(
    utterances: list[Utterance], config: TrainConfig
) -> None:
    folds = joint_folds(utterances, config)
    assert [list(fold.test) for fold in folds] == [["casia", "emodb"]] * 2 + [["emodb"]]
    assert_kept_apart(folds, utterances)
    # A corpus without this fold is wholly in training; so is one without any.
    for fold in folds:
        assert [u.corpus for u in fold.train].count("crema-d") == 6
    assert [u.corpus for u in folds[2].train].count("casia") == 10


def test_the_real_folds_of_all_four_corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.paper.emobox_joint.folds.emobox_folds", emobox_folds)
    with EMOBOX_FOLDS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = [
        Utterance(r["corpus"], Path(r["file"]), "", "", "sad", "", "") for r in rows
    ]
    folds = joint_folds(clips, TrainConfig.read(CONFIGS / "emobox.toml"))
    assert_kept_apart(folds, clips)
    sizes = [{c: len(part) for c, part in fold.test.items()} for fold in folds]
    four = {"casia": 300, "emodb": 107, "ravdess": 240, "savee": 120}
    assert sizes == [four] * 4 + [{"emodb": 107, "ravdess": 240}, {"ravdess": 240}]


def test_the_recipe_teaches_each_corpus_its_own_classes() -> None:
    config = TrainConfig.read(CONFIGS / "emobox.toml")
    of = {c.name: c for c in config.corpora}
    assert set(PAPER) < set(of)
    for name, corpus in PAPER.items():
        assert sorted(of[name].only) == sorted(corpus.counts.emotions)
    taught = {emotion for corpus in config.corpora for emotion in corpus.only}
    assert set(config.labels) == taught


def test_a_clip_is_given_a_class_of_its_corpus() -> None:
    # The network is sure of a class that the corpus has not.
    logits = np.array([[0.0, 9.0, 1.0, 0.5]], np.float32)
    assert decide(logits, [0, 2, 3]) == 1
    assert decide(logits, [3, 0]) == 0
    # Probabilities are averaged, not logits: two steps against one that shouts.
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 30.0]], np.float32)
    assert decide(logits, [0, 1]) == 0


def test_each_corpus_has_its_result_and_its_row_of_the_page(
    utterances: list[Utterance],
    config: TrainConfig,
    joint: Joint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(joint.folder)
    assert [line.partition(" UAR")[0] for line in joint.said] == [
        *("fold-1: casia", "fold-1: emodb", "fold-2: casia", "fold-2: emodb"),
        "fold-3: emodb",
    ]
    folds = {fold.name: fold for fold in joint_folds(utterances, config)}
    runs = load_runs(Path("results"))
    assert len(runs) == 5
    for one in runs:
        last = one.selections["last"]
        assert last.labels == CLASSES[one.place]
        assert last.clips == tuple(u.name for u in folds[one.fold].test[one.place])
        emotions = [u.emotion for u in folds[one.fold].test[one.place]]
        assert [last.labels[t] for t in last.truth] == emotions
        # Nothing that was scored had been trained on, in the name of any corpus.
        scored = {u.name for part in folds[one.fold].test.values() for u in part}
        assert joint.heard[one.fold] == {u.name for u in utterances} - scored
    first, third = stored("casia", 1), stored("emodb", 3)
    assert first["n_train"] == {"casia": 5, "crema-d": 6, "emodb": 10}
    assert "test fold-1 of casia, emodb; wholly" in first["config"]["trained_on"]
    assert third["config"]["trained_on"].endswith("training: casia, crema-d")
    assert first["config"]["train"] == json.loads(json.dumps(config.to_dict()))
    heard_nothing = [stored("casia", k)["without_speech"] for k in (1, 2)]
    assert sorted(heard_nothing) == [[], ["casia/hiss.wav"]]

    build(Path("results"), Path("docs/results.md"), PAPER_TABLES)
    text = Path("docs/results.md").read_text()
    benchmark = text[text.index("## EmoBox folds") :]
    start = "| CPAC, multi-corpus training"
    line = next(x for x in benchmark.splitlines() if x.startswith(start))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    means = [
        np.mean([stored(c, k)["selections"]["last"]["UAR"] for k in range(1, n + 1)])
        for c, n in N_FOLDS.items()
    ]
    assert cells[0] == "CPAC, multi-corpus training (ours)"
    assert cells[1].startswith(f"{means[0]:.2f} (")
    assert cells[1].endswith("2 of 4 folds")
    assert cells[2].startswith(f"{means[1]:.2f} (")
    assert cells[3:] == ["*not run*"] * 2
    # It is not compared silently with those trained on one corpus.
    assert "`python -m training emobox-joint" in benchmark
    assert "*CPAC, multi-corpus training*" in text[text.index("## How it was") :]


def test_a_finished_fold_is_read_and_half_of_one_goes_on(
    utterances: list[Utterance], config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(monkeypatch)
    said = compute(utterances, config, only=2)
    assert list(trainer.heard) == ["fold-2"]
    assert not Path("out/fold-1").exists()
    kept = {c: stored(c, 2) for c in ("casia", "emodb")}
    checkpoint = Path("out/fold-2/checkpoint.pt").read_bytes()
    trainer.heard.clear()
    assert compute(utterances, config, only=2) == said
    assert not trainer.heard
    # Killed between two corpora: the network is not trained again.
    Path("results/emobox/cpac-joint/emodb/fold-2-seed-98.json").unlink()
    assert compute(utterances, config, only=2) == said
    assert Path("out/fold-2/checkpoint.pt").read_bytes() == checkpoint
    for corpus, before in kept.items():
        after = stored(corpus, 2)
        assert {**after, "seconds": 0} == {**before, "seconds": 0}


def test_a_fold_that_another_process_is_at_is_passed_over(
    utterances: list[Utterance], config: TrainConfig
) -> None:
    with locked(Path("out/fold-3"), wait=False):
        assert compute(utterances, config, only=3) == [
            "fold-3: another process is at it"
        ]
    assert not Path("results").exists()


def test_results_of_another_configuration_are_refused_before_any_training(
    utterances: list[Utterance],
    config: TrainConfig,
    joint: Joint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joint.copy_fold(3)
    kept = stored("emodb", 3)
    trainer = Trainer(monkeypatch)
    with pytest.raises(ConfigError, match=r"fold-3.*train.epochs: 1 there, 2 now"):
        compute(utterances, replace(config, epochs=2))
    # Elsewhere for its results, but with the same unfinished runs.
    with pytest.raises(ConfigError, match=r"checkpoint.pt belongs to another config"):
        compute(utterances, replace(config, epochs=2), 3, Path("elsewhere"))
    assert list(trainer.heard) == ["fold-3"]
    assert stored("emodb", 3) == kept


def test_a_network_can_go_on_with_the_scored_corpus_alone(
    utterances: list[Utterance], config: TrainConfig, joint: Joint
) -> None:
    joint.copy_fold(3)
    before_it = stored("emodb", 3)
    compute(utterances, config, only=3, own_epochs=1)
    path = Path("results/emobox/cpac-joint-own/emodb/fold-3-seed-98.json")
    own = json.loads(path.read_text())
    assert own["config"]["train"] == before_it["config"]["train"]
    then = own["config"]["then"]
    assert [c["name"] for c in then["corpora"]] == ["emodb"]
    assert then["learning_rate"] == config.learning_rate / 2
    assert own["epochs"] == config.epochs + 1
    assert stored("emodb", 3) == before_it
    # It began where the joint network ended, and saw none of the others' speakers.
    first, last = (
        load_checkpoint(Path("out/fold-3") / part / "checkpoint.pt")
        for part in (".", "emodb")
    )
    assert all(name.startswith("emodb/") for name in last["speakers"])
    before, after = (c["weights"]["head.classifier.weight"] for c in (first, last))
    assert 0 < (after - before).norm() < 0.2 * before.norm()


def test_what_cannot_be_scored_is_named(
    utterances: list[Utterance], config: TrainConfig
) -> None:
    with pytest.raises(ConfigError, match="only is 4; allowed: 1 to 3"):
        compute(utterances, config, only=4)
    partial_emodb = (CorpusConfig("emodb", only=("angry", "sad")),)
    with pytest.raises(ConfigError, match=r"scores fear, happy, neutral of emodb, too"):
        classes(utterances, replace(config, corpora=partial_emodb))
    with pytest.raises(ConfigError, match="no corpus of the configuration has EmoBox"):
        joint_folds(utterances, replace(config, corpora=(CorpusConfig("crema-d"),)))


@pytest.fixture
def network(config: TrainConfig) -> Cpac:
    torch.manual_seed(1)
    return Cpac(config.model).eval()


def test_a_clip_without_speech_is_scored_whole(
    utterances: list[Utterance],
    config: TrainConfig,
    network: Cpac,
    clip: FloatArray,
) -> None:
    casia = [u for u in utterances if u.corpus == "casia"]
    logits, without = clip_logits(network, config.labels, config.front_end, casia)
    assert without == ["casia/hiss.wav"]
    recognizer = TorchRecognizer(network, config.labels)
    heard = run_clips(recognizer, config.front_end, casia)
    for steps, gated, one in zip(logits, heard, casia, strict=True):
        if one.clip == "hiss":
            samples = read_samples(one.path)
            expected = ungated(network, config.front_end, samples)
        else:  # What is said of the first word alone does not count.
            longest = np.array(gated.columns) == max(gated.columns)
            assert longest.sum() < len(longest)
            expected = np.array(gated.logits, np.float32)[longest]
        assert np.array_equal(steps, expected)
    # 61 blocks of a tenth of a second: 57 columns, the middle 25 begin at the 16th.
    long = np.tile(clip, 4)[: 200 + 61 * 1600]
    frames = torch.from_numpy(frames_of(long, config.front_end))[None]
    with torch.no_grad():
        middle = network(frames[:, 16 * 8 : (16 + 25) * 8 + 30]).numpy()
        whole = network(frames[:, : 25 * 8 + 30]).numpy()
    np.testing.assert_array_equal(ungated(network, config.front_end, long), middle)
    assert not np.array_equal(middle, whole)
    short = clip[:3000]
    assert np.isfinite(ungated(network, config.front_end, short)).all()


def test_the_command_reads_what_is_done_and_names_what_is_wrong(
    corpora: Path, joint: Joint
) -> None:
    said = joint.copy_fold(3)
    Path("tiny.toml").write_text(TOML)
    command = ["emobox-joint", "tiny.toml", "--corpora", str(corpora), "--only", "3"]
    done = CliRunner().invoke(app, [*command, "--out", "none"])
    assert done.output.splitlines() == [*said, "next: python -m training report"]
    assert not list(Path("none").glob("*/checkpoint.pt"))
    wrong = CliRunner().invoke(app, [*command, "--epochs", "7"])
    assert isinstance(wrong.exception, ConfigError)
    assert "train.epochs: 1 there, 7 now" in str(wrong.exception)
