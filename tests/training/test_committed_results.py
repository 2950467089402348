"""Every result in `results/` is read by today's code, and none is computed again."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import load_bundle
from tests.helpers.paths import ROOT
from training.corpora import Utterance
from training.corpora.emobox import EMOBOX_FOLDS
from training.engine.run_experiments import missing
from training.evaluation.adaptation.attacks import ATTACKS, Attack
from training.evaluation.adaptation.collapse import Collapse
from training.evaluation.adaptation.gains import all_gains
from training.evaluation.adaptation.live import Live
from training.evaluation.adaptation.settings import AdaptEvalConfig
from training.evaluation.loco import SCORED, LocoFold, LocoRun
from training.evaluation.loco_svm import loco_svm
from training.evaluation.told.run import ToldFold
from training.evaluation.unlabelled.rooms import MIXES
from training.evaluation.unlabelled.run import PARTS, UnlabelledCell, UnlabelledRun
from training.paper.emobox_joint.folds import classes, joint_folds
from training.paper.emobox_joint.run import JointRun
from training.paper.reproduce.constants import (
    JOINT,
    JOINT_OWN,
    JOINT_WHISPER,
    PROTOCOLS,
)
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.tables import BLIND, SIX_PAIRS
from training.paper.reproduce.workspace import Workspace
from training.recipe.config import TrainConfig
from training.recipe.train import TrainOptions
from training.report.adaptation_tables import ADAPTED, BASE

RESULTS = ROOT / "results"
OWN_EPOCHS = 12
"""As `docs/training.md` has it."""
JOINTS = (JOINT, JOINT_OWN, JOINT_WHISPER)
JOINT_RUNS = (
    ("emobox.toml", 0),
    ("emobox.toml", OWN_EPOCHS),
    ("emobox-accurate.toml", 0),
)


def committed() -> list[PaperExperiment]:
    """What the files below the protocols' folders are of, by their paths."""
    found = []
    files = [path for name in PROTOCOLS for path in RESULTS.glob(f"{name}/*/*/*.json")]
    for path in sorted(files):
        protocol, system, place, _ = path.relative_to(RESULTS).parts
        name, inner = path.stem.removesuffix("-validated"), "-validated" in path.stem
        fold, _, seed = name.rpartition("-seed-")
        found.append(
            PaperExperiment(protocol, system, place, fold, int(seed), inner=inner)
        )
    return found


def test_no_result_lies_where_nothing_reads_it() -> None:
    folders = {path.name for path in RESULTS.iterdir() if path.is_dir()}
    assert folders == {*PROTOCOLS, "adapt-eval", "loco"}


@pytest.mark.parametrize(
    ("recipe", "kind", "fold"),
    [
        ("loco", "", LocoFold),
        ("loco-accurate", "-recentred", LocoFold),
        ("loco-accurate", "-told", ToldFold),
    ],
)
def test_all_results_of_corpora_left_out_are_done(
    tmp_path: Path, recipe: str, kind: str, fold: type[LocoFold]
) -> None:
    recipe_of = TrainConfig.read(ROOT / "training" / "configs" / f"{recipe}.toml")
    seeds = sorted((RESULTS / "loco" / f"{recipe_of.name}{kind}").iterdir())
    assert seeds
    for out in seeds:
        config = replace(recipe_of, seed=int(out.name.removeprefix("seed-")))
        space = LocoRun(config, tmp_path, out, tmp_path, TrainOptions(), bool(kind))
        there = [fold(path.stem) for path in sorted(out.glob("*.json"))]
        assert there
        # What clips made them is compared where the corpora are.
        for one in there:
            path = space.store.path(one.name)
            space.store.check(path, one.config(space), one.today)


def test_the_results_of_the_svm_beside_them_are_read(tmp_path: Path) -> None:
    recipe = TrainConfig.read(ROOT / "training/configs/loco.toml")
    folder = RESULTS / "loco" / "compare-svm"
    # No corpus is there, so that nothing could be computed.
    found = loco_svm(recipe, tmp_path, SCORED, tmp_path, folder)
    assert {path.stem for path in folder.iterdir()} == set(found) == set(SCORED)


def test_all_results_of_learning_without_labels_are_done(tmp_path: Path) -> None:
    bundle, folder = load_bundle("open"), RESULTS / "loco" / "open-heard"
    space = UnlabelledRun(bundle.name, bundle.sha256, tmp_path, folder, tmp_path)
    there = []
    for path in sorted(folder.glob("*/*.json")):
        corpus, kind, _, seed = path.stem.split("-")
        mix = MIXES[1] if kind == "neutral" else kind
        there.append(UnlabelledCell(corpus, mix, int(seed), path.parent.name))
    assert {cell.part for cell in there} == set(PARTS)
    assert not missing(there, space)


def test_all_results_of_the_papers_tables_are_done(tmp_path: Path) -> None:
    ours = [one for one in committed() if one.system not in JOINTS]
    assert len(ours) > 250
    assert {one.protocol for one in ours} == set(PROTOCOLS)
    space = Workspace(tmp_path, RESULTS, tmp_path / "runs")
    assert not missing(ours, space)
    # The files are looked into: other epochs are another configuration.
    trained = next(one for one in ours if one.system == "caam")
    with pytest.raises(ConfigError, match="epochs"):
        trained.is_done(replace(space, epochs=1))


def test_all_results_of_the_joint_folds_are_done(tmp_path: Path) -> None:
    with EMOBOX_FOLDS.open(newline="") as file:
        rows = [(row["corpus"], row["file"]) for row in csv.DictReader(file)]
    clips = [
        Utterance(corpus, Path(file), "", "", "sad", "", "")
        for corpus, file in [*rows, ("crema-d", "another.wav")]
    ]
    n_done = 0
    for name, own_epochs in JOINT_RUNS:
        config = TrainConfig.read(ROOT / "training/configs" / name)
        folds = joint_folds(clips, config)
        space = JointRun(
            config,
            {fold.name: fold for fold in folds},
            classes(clips, config),
            tmp_path,
            RESULTS,
            TrainOptions(),
            own_epochs,
        )
        wanted = [one for fold in folds for one in space.experiments(fold)]
        there = [one for one in wanted if space.store.path(one.name).exists()]
        assert not missing(there, space)
        n_done += len(there)
    assert n_done == sum(one.system in JOINTS for one in committed())


def test_all_results_of_the_evaluation_of_adaptation_are_done(tmp_path: Path) -> None:
    settings = AdaptEvalConfig(tmp_path, results=RESULTS, out=tmp_path / "runs")
    attacks = [Collapse(), *map(Attack, ATTACKS)]
    every = [*all_gains(settings), *attacks, Live(False), Live(True)]
    assert len(every) == len(list(settings.folder.glob("*/*.json")))
    assert not missing(every, settings)


@pytest.mark.parametrize("place", SIX_PAIRS)
def test_all_methods_of_a_pair_began_from_one_source_network(place: str) -> None:
    methods = (*ADAPTED[:3], BASE, *BLIND)
    began: dict[str, set[str]] = {}
    for method in methods:
        for path in (RESULTS / "cross" / method / place).glob("transductive-*.json"):
            result = json.loads(path.read_text(encoding="utf-8"))
            seed = path.stem.partition("-seed-")[2]
            began.setdefault(seed, set()).add(result["source_network"])
    assert "98" in began
    assert all(len(networks) == 1 for networks in began.values())
