"""The runner of the paper's tables, on two tiny corpora cut from the bundled minute."""

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.errors import ConfigError, SourceError
from tests.helpers.minute import halves, utterances_of_the_minute, write_corpus
from tests.helpers.paths import ROOT
from tests.helpers.small_disk import files_no_larger_than
from training.__main__ import main
from training.baselines.clip_length import clip_lengths
from training.engine.checkpoint import load_checkpoint, weights_sha256
from training.engine.experiment import Progress
from training.engine.result_store import Result
from training.paper.cut_ends import CutPaddedMfccConfig
from training.paper.padded_mfcc import PaddedMfccConfig
from training.paper.reproduce.constants import (
    CUT_ENDS,
    READINGS,
    THROUGHOUT,
    TRAINED_AS_PUBLISHED,
)
from training.paper.reproduce.experiment import PaperExperiment
from training.paper.reproduce.frames import frames_config
from training.paper.reproduce.run_cross import fold_clips
from training.paper.reproduce.systems import (
    experiment_config,
    network_config,
    transfer_config,
)
from training.paper.reproduce.tables import ABLATIONS, choose
from training.paper.reproduce.workspace import Workspace
from training.paper.transfer_task import TransferConfig
from training.protocols.names import CORPORA

EPOCHS = 2
SYSTEMS = "training.paper.reproduce.systems.TransferConfig"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of 32 clips each: halves of the utterances of the minute."""
    folder = tmp_path_factory.mktemp("corpora")
    said = halves(utterances_of_the_minute())
    write_corpus(folder / "emodb", said)
    write_corpus(folder / "casia", [replace(s, samples=0.5 * s.samples) for s in said])
    return folder


@pytest.fixture
def space(corpora: Path, tmp_path: Path) -> Workspace:
    return Workspace(corpora, tmp_path / "results", tmp_path / "runs", "cpu", EPOCHS)


def result_of(one: PaperExperiment, space: Workspace) -> Result:
    return space.store.read(space.store.path(one.name))


COMMAND = [sys.executable, "-m", "tests.helpers.reproduce_in_few_steps", "reproduce"]


def command(table: str, corpora: Path, out: Path, *options: str) -> list[str]:
    folders = [
        "--corpora",
        corpora,
        "--results",
        out / "results",
        "--runs",
        out / "runs",
    ]
    settings = ["--epochs", EPOCHS, "--jobs", 2, "--device", "cpu"]
    return [*COMMAND, table, *map(str, folders + settings), *options]


def results_in(folder: Path) -> dict[str, dict[str, Any]]:
    """All results, less when and on which machine they were made."""
    found = {}
    for path in sorted((folder / "results").glob("**/*.json")):
        content = json.loads(path.read_text())
        found[str(path.relative_to(folder))] = {
            k: v for k, v in content.items() if k not in ("seconds", "revision")
        }
    return found


WANTED = {
    "1": ["--system", "cpac-as-published-code", "--place", "emodb", "--fold", "fold-3"],
    "4": [
        *("--system", "caam", "--system", "algorithm-4"),
        *("--place", "casia-emodb", "--fold", "transductive"),
    ],
}


def test_a_run_killed_at_a_random_moment_ends_as_an_undisturbed_one(
    corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 of the command and its workers; the test below kills the other kind."""
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    space = Workspace(corpora, calm / "results", calm / "runs", "cpu", EPOCHS)
    few = partial(TransferConfig, steps=8, batch_size=8)  # as the command has
    monkeypatch.setattr(SYSTEMS, few)
    # CAAM and Algorithm 4.
    wanted = choose(
        "4",
        None,
        [98],
        systems=["caam", "algorithm-4"],
        places=["casia-emodb"],
        folds=["transductive"],
    )
    with computing_as_one_of_two():
        assert all(one.run(space) for one in wanted)
    expected = results_in(calm)
    assert len(expected) == 2
    assert not list((calm / "runs/cells").glob("**/checkpoint.pt"))

    arguments = command("4", corpora, killed, *WANTED["4"])
    with subprocess.Popen(
        arguments,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for_a_checkpoint(killed, process)
        # Soon after, in the middle of whatever is done then.
        time.sleep(random.Random(98).uniform(0.0, 0.4))
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    assert results_in(killed) != expected
    again = Workspace(corpora, killed / "results", killed / "runs", "cpu", EPOCHS)
    with computing_as_one_of_two():
        for one in wanted:
            # A process that was killed may hold its lock for a moment more.
            one.run(again, wait=True)
    assert results_in(killed) == expected


@contextlib.contextmanager
def computing_as_one_of_two() -> Iterator[None]:
    """As many threads as a worker of two has: sums depend on it in the last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    yield
    torch.set_num_threads(before)


def wait_for_a_checkpoint(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until a worker is in the middle of an experiment."""
    while not list(folder.glob("runs/cells/**/checkpoint.pt")):
        assert process.poll() is None, "it ended too soon"
        time.sleep(0.01)


def test_a_killed_commands_workers_end_too_and_the_next_takes_their_experiments(
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = command("1", corpora, tmp_path, *WANTED["1"])
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        wait_for_a_checkpoint(tmp_path, first)
        # The command alone, and not its workers.
        first.kill()
    # It waits for what they are still at, and in a process that need not begin.
    monkeypatch.setattr(sys, "argv", [*arguments[2:], "--jobs", "1"])
    assert main() == 0
    said = capsys.readouterr()
    assert len(results_in(tmp_path)) == 2, said.err
    where = arguments[arguments.index("--results") + 1]
    assert f"next: python -m training report --results {where}\n" in said.out


def test_an_experiment_gives_all_figures_of_its_selections(space: Workspace) -> None:
    one = PaperExperiment(
        "paper-10fold", "algorithm-2", "emodb", "fold-1", 98, inner=True
    )
    told: list[float] = []
    assert one.run(space, Progress(told.append))
    assert told == [0.5, 1.0]
    result = result_of(one, space)
    assert result["n"] == {"train": 23, "validation": 5, "test": 4}
    assert set(result["selections"]) == {"oracle", "validated", "last"}
    last = result["selections"]["last"]
    assert last["epoch"] == EPOCHS
    right = [a == b for a, b in zip(last["predicted"], result["truth"], strict=True)]
    assert last["WAR"] == pytest.approx(100 * sum(right) / 4, abs=0.01)
    assert sum(map(sum, last["confusion_matrix"])) == 4
    best = max(row["test_WAR"] for row in result["curve"])
    assert result["selections"]["oracle"]["WAR"] == best
    # Once more: it is there, and nothing is computed.
    before = space.store.path(one.name).read_bytes()
    assert not one.run(space)
    assert space.store.path(one.name).read_bytes() == before


def test_what_is_needed_comes_first_and_can_be_all() -> None:
    every = choose("3", None, [98], places=["emodb", "casia"])
    needed = choose("3", None, [98], places=["emodb", "casia"], needed=True)
    assert every[: len(needed)] == needed
    # CPAC and three ablations, on either features.
    assert len(set(every)) == len(every) == 2 * 4 * 2 * 20

    def folds(system: str, place: str) -> list[tuple[str, bool]]:
        return [
            (one.fold, one.inner)
            for one in needed
            if (one.system, one.place) == (system, place)
        ]

    ten = [(f"fold-{k}", False) for k in range(1, 11)]
    assert folds("algorithm-2", "emodb") == ten
    assert folds("algorithm-2-published-features", "emodb") == ten
    assert folds("algorithm-2-published-features", "casia") == ten[:5]
    inner = [(fold, True) for fold, _ in ten]
    for system in READINGS[:2]:
        assert folds(system, "emodb") == ten + inner
    assert folds("cpac-published-features", "casia") == ten
    by_text = choose("1", None, [98], systems=[READINGS[1]], needed=True)
    assert {one.place for one in by_text} == {"emodb", "casia"}
    written = choose("1", None, [98], systems=["cpac-as-written"], needed=True)
    assert [one.name for one in written] == [
        f"paper-10fold/cpac-as-written/emodb/fold-{k}-seed-98" for k in (1, 2, 3)
    ]
    published = choose("4", None, [98], systems=["caam-as-published"], needed=True)
    assert [one.name for one in published] == [
        f"cross/caam-as-published/{pair}/transductive-seed-98"
        for pair in ("casia-emodb", "emodb-casia")
    ]
    streaming = choose("1", None, [98], systems=["cpac-streaming"], needed=True)
    assert {one.place for one in streaming} == {"emodb"}
    for outside in ("emobox", "loso"):
        compared = choose(outside, None, [98], systems=["cpac-streaming"], needed=True)
        assert {one.place for one in compared} == set(CORPORA)
    elsewhere = choose("why", None, [98], places=["casia", "savee"], needed=True)
    assert [one.name for one in elsewhere] == [
        *(
            f"paper-10fold/{system}/{place}/fold-1-seed-98"
            for system in (TRAINED_AS_PUBLISHED, THROUGHOUT)
            for place in ("savee", "casia")
        ),
        *(f"paper-10fold/{CUT_ENDS}/casia/fold-{k}-seed-98" for k in range(1, 6)),
    ]
    pairs = choose("2", None, [98], places=["casia-savee"], needed=True)
    assert [one.system for one in pairs if one.fold == "inductive-1"] == [
        "caam",
        "nmftsl",
    ]


def test_choices_of_the_paper_stand_in_for_ours_one_by_one(space: Workspace) -> None:
    only = {"places": ["emodb"], "folds": ["fold-2"]}
    wanted = choose("why", None, [98], needed=True, **only)
    assert all(one.run(space) for one in wanted)
    raw, batch, rate, throughout = (result_of(one, space) for one in wanted)
    base = asdict(network_config(replace(wanted[0], system=READINGS[1]), EPOCHS))
    assert rate["config"].pop("input")["sample_rate"] == 22_050
    assert json.loads(json.dumps(base)) == rate["config"]
    # Others than those of 16 kHz, though of the same clips and fold.
    other = space.data(replace(wanted[0], system=READINGS[1])).frames
    of_rate = space.data(wanted[2]).frames
    assert len(of_rate) == len(other)
    assert abs(len(of_rate[0]) - len(other[0])) < 4
    assert not np.allclose(of_rate[0][:30], other[0][:30], atol=1.0)
    assert raw["config"]["deviation"] == 0.0
    assert raw["config"]["schedule"]["course"] == "constant"
    changed = {**raw["config"], "batch_size": 64}
    changed["schedule"] = {**changed["schedule"], "betas": [0.975, 0.932]}
    assert batch["config"] == changed
    # The same again on other features, clips of which are one length as they are.
    features = throughout["config"].pop("input")
    assert features["n_samples"] == 96_000
    assert throughout["config"] == {**changed, "seconds": 0.0, "max_columns": 32}
    frames = space.data(wanted[3]).frames
    assert {clip.shape for clip in frames} == {(1 + 96_000 // 512, 39)}
    for system in ABLATIONS:
        ablation = network_config(replace(wanted[3], system=system))
        assert ablation.kind == system.removesuffix("-published-features")
    # Its own number of epochs, where nobody says another.
    assert network_config(wanted[0]).schedule.epochs == 300
    assert not list(space.results.rglob("*.npz"))


def test_the_length_of_a_clip_is_a_row_of_table_1(space: Workspace) -> None:
    one = PaperExperiment("paper-10fold", "clip-length", "emodb", "fold-2", 98)
    assert one.run(space)
    result = result_of(one, space)
    assert list(result["selections"]) == ["last"]
    lengths = clip_lengths([u.path for u in space.data(one).utterances])
    truth, fold = np.array(space.data(one).truth), space.fold(one)
    nearest = [
        truth[min(fold.train, key=lambda k: abs(lengths[k] - lengths[i]))]
        for i in fold.test
    ]
    assert result["selections"]["last"]["predicted"] == nearest


def test_cut_ends_are_heard_by_that_system_alone() -> None:
    assert frames_config(CUT_ENDS, "casia") == CutPaddedMfccConfig(n_samples=88_000)
    whole = frames_config(READINGS[0], "casia")
    assert type(whole) is PaddedMfccConfig
    assert asdict(whole).items() < asdict(frames_config(CUT_ENDS, "casia")).items()


def test_stand_ins_of_table_1_are_scored_on_the_same_folds(space: Workspace) -> None:
    wanted = choose("1", None, [98], systems=["cnn-3d", "echo-state"], places=["emodb"])
    # A fit without epochs has no inner split to choose one; a network's comes last.
    assert [one.inner for one in wanted].count(True) == 10
    assert [one.inner for one in wanted if one.system == "cnn-3d"][:10] == [False] * 10
    of_fold = [one for one in wanted if one.fold == "fold-2" and not one.inner]
    pytest.importorskip("reservoirpy")
    assert all(one.run(space) for one in of_fold)
    network, echo = (result_of(one, space) for one in of_fold)
    assert set(network["selections"]) == {"oracle", "last"}
    assert network["config"]["input"]["n_mels"] == 40
    assert "reading" not in network["config"]
    assert set(echo["selections"]) == {"last"}
    same = space.fold(PaperExperiment("paper-10fold", "cnn", "emodb", "fold-2", 98))
    names = [space.data(of_fold[0]).utterances[i].name for i in same.test]
    assert network["clips"] == echo["clips"] == names
    # Nothing is drawn of them.
    assert not list((space.results).rglob("*.npz"))


@pytest.mark.parametrize(
    "system",
    ["caam", "dann", "cdan", "algorithm-4", "caam-source-levels"],
)
def test_all_methods_begin_from_one_source_checkpoint(
    system: str,
    corpora: Path,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = partial(TransferConfig, steps=2, batch_size=8)
    monkeypatch.setattr(SYSTEMS, few)
    runs = tmp_path_factory.getbasetemp() / "shared-runs"
    space = Workspace(corpora, tmp_path / "results", runs, "cpu", 1)
    one = PaperExperiment("cross", system, "casia-emodb", "inductive-1", 7)
    assert one.run(space)
    (shared,) = (runs / "source").glob("*/checkpoint.pt")
    result = result_of(one, space)
    weights = load_checkpoint(shared)["weights"]
    assert result["source_network"] == weights_sha256(weights)
    name, some = next(iter(weights.items()))
    assert weights_sha256({**weights, name: some + 1e-6}) != result["source_network"]
    assert set(result["labels"]) == {"angry", "fear", "happy", "neutral", "sad"}
    assert result["distances"]["after"]["mean"] > 0
    assert result["config"]["options"] == ({"gamma": 1.5} if "caam" in system else {})


@pytest.mark.parametrize("system", ["caam-as-published", "algorithm-4-as-published"])
def test_as_published_there_is_no_source_checkpoint_to_begin_from(
    system: str, space: Workspace
) -> None:
    one = PaperExperiment("cross", system, "casia-emodb", "transductive", 98)
    told: list[float] = []
    one.compute(space, Progress(told.append))
    assert not (space.runs / "source").exists()
    assert {clip.shape for clip in space.data(one).frames} == {(188, 39)}
    config = experiment_config(one)
    assert config["input"]["n_samples"] == 96_000
    assert config["source"]["schedule"]["epochs"] == 0
    assert config["source"]["reading"] == "as-published-code"
    assert config["source"]["label_smoothing"] == 0.0
    assert config["source"]["mask"]["mixup"] == config["source"]["deviation"] == 0.0
    assert (config["levels"], config["new_rate"]) == ("as-recorded", 1.0)
    assert (config["batch_size"], config["schedule"]["epochs"]) == (512, 120)
    assert config["schedule"]["learning_rate"] == 1e-3
    assert config["schedule"]["betas"] == (0.975, 0.935)
    assert config["schedule"]["average"] == 0.0
    ramp = {"gamma": 1.5, "ramp_steps": 1000.0}
    assert config["options"] == (ramp if system.startswith("caam") else {})
    assert told == pytest.approx([1 / EPOCHS, 1.0])


def test_at_the_source_s_levels_nothing_is_known_of_the_target(
    space: Workspace,
) -> None:
    by_corpus = PaperExperiment("cross", "caam", "casia-emodb", "transductive", 98)
    blind = replace(by_corpus, system="caam-source-levels")
    found = []
    for one in (by_corpus, blind):
        config = transfer_config(one)
        # By nothing but the levels do they differ.
        assert replace(config, levels="by-corpus") == transfer_config(by_corpus)
        clips, _ = fold_clips(space.data(one), space.fold(one), config)
        found.append({k: np.concatenate(of).mean(0) for k, of in clips.items()})
    assert np.allclose(found[0]["train"], 0.0, atol=1e-3)
    assert np.allclose(found[0]["adapt"], 0.0, atol=1e-3)
    for part in ("train", "validation"):
        assert np.array_equal(found[0][part], found[1][part])
    # These two corpora differ by 6 dB.
    assert found[1]["adapt"][0] > 0.1
    assert np.array_equal(found[1]["adapt"], found[1]["test"])


def test_inductive_scoring_never_adapts_to_the_speakers_it_scores(
    space: Workspace,
) -> None:
    one = PaperExperiment("cross", "caam", "casia-emodb", "inductive-1", 98)
    utterances = space.data(one).utterances
    whole, *halves = space.folds(one)
    assert set(whole.adapt) == set(whole.test)
    for fold in halves:
        heard = {utterances[i].speaker for i in fold.adapt}
        scored = {utterances[i].speaker for i in fold.test}
        assert heard.isdisjoint(scored)
        trained = {utterances[i].speaker for i in fold.train}
        chosen = {utterances[i].speaker for i in fold.validation}
        assert chosen
        assert trained.isdisjoint(chosen)
        assert {utterances[i].corpus for i in fold.train + fold.validation} == {"casia"}
    assert sorted(halves[0].test + halves[1].test) == sorted(whole.test)


def test_results_of_another_configuration_are_not_overwritten(
    space: Workspace,
) -> None:
    one = PaperExperiment("paper-10fold", "algorithm-3", "emodb", "fold-1", 98)
    space.store.write(one.name, experiment_config(one, 99), {})
    with pytest.raises(ConfigError, match=r"schedule.epochs: 99 there, 2 now"):
        one.is_done(space)


def test_a_file_that_is_no_result_is_named(space: Workspace) -> None:
    one = PaperExperiment("paper-10fold", "algorithm-3", "emodb", "fold-1", 98)
    path = space.store.path(one.name)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(SourceError, match=r"fold-1-seed-98.json is no result"):
        one.is_done(space)


def test_a_corpus_without_the_folds_is_refused_with_the_clip_that_lacks_one(
    space: Workspace,
) -> None:
    with pytest.raises(SourceError, match="emodb has no fold for 32 clips"):
        space.fold(PaperExperiment("emobox", "cpac-streaming", "emodb", "fold-1", 98))


def test_a_class_that_only_the_test_clips_have_is_named(
    corpora: Path, tmp_path: Path
) -> None:
    lone = tmp_path / "corpora/emodb"
    lone.mkdir(parents=True)
    with (corpora / "emodb/manifest.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with (lone / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0])
        for row in rows[1:]:
            (lone / row[0]).symlink_to(corpora / "emodb" / row[0])
            row[3] = "disgust" if row[1] == "09" else row[3]
            writer.writerow(row)
    space = Workspace(tmp_path / "corpora", tmp_path / "r", tmp_path / "runs")
    with pytest.raises(SourceError, match="disgust is in the test clips but not in"):
        space.fold(PaperExperiment("loso", "cpac-streaming", "emodb", "speaker-09", 98))
    with pytest.raises(SourceError, match="no speaker-10; it has speaker-03"):
        space.fold(PaperExperiment("loso", "cpac-streaming", "emodb", "speaker-10", 98))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9"], "no table '9'; allowed: 1, 2"),
        (["1", "--protocol", "5fold"], "no protocol '5fold'; allowed: paper-10fold"),
        (["1", "--system", "resnet"], "no system 'resnet'; allowed: algorithm-1"),
        (["2", "--place", "emodb-iemocap"], "no corpus or pair 'emodb-iemocap'"),
        (["2", "--place", "emodb"], "table 2 has no experiment of these"),
        (["1", "--fold", "fold-11"], "no fold 'fold-11'; allowed: fold-1"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    arguments: list[str],
    message: str,
    corpora: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["training", "reproduce", *arguments, "--corpora", str(corpora)]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_most_telling_experiments_come_first() -> None:
    found = choose("all", None, [98])
    assert str(found[0]) == "cross/caam/casia-emodb/transductive-seed-98"
    assert len(set(found)) == len(found)
    assert {c.protocol for c in found} == {"cross", "paper-10fold", "emobox", "loso"}


def test_a_full_disk_ends_an_experiment_and_leaves_no_half_result(
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Files may grow to 1 MB: the checkpoint does not fit."""
    options = ["--jobs", "1", *WANTED["1"]]
    monkeypatch.setattr(sys, "argv", command("1", corpora, tmp_path, *options)[2:])
    with files_no_larger_than(2**20):
        assert main() == 1
    said = capsys.readouterr().err
    assert "checkpoint.pt could not be written" in said
    assert "File too large" in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("results/**/*"))
