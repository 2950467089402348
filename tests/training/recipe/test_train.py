"""Training on the six clips: what is killed goes on as if nothing had happened."""

import csv
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import soundfile
import torch
from torch import Tensor

from ser_stream.errors import ConfigError, ModelError, SourceError
from ser_stream.nn.cpac import Cpac, CpacConfig
from tests.helpers.paths import ROOT
from training.__main__ import main
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.engine.fit import pick_device
from training.recipe.commands import slim
from training.recipe.config import CorpusConfig, TrainConfig
from training.recipe.dataset import Batch, TrainingSet, taught
from training.recipe.model import build_model, slimmed
from training.recipe.noise_recordings import load_noises
from training.recipe.train import TrainOptions, mixed_loss, train

CONFIG = TrainConfig(
    name="tiny",
    corpora=(CorpusConfig("clips"),),
    epochs=2,
    batch_size=4,
    max_columns=4,
    noise="",
    model=replace(CpacConfig.listening(5), n_filters=8, n_channels=2),
)

# Trains as the parent does, and kills itself as soon as an epoch has been saved.
VICTIM = """
import os, signal, sys, threading, time
from pathlib import Path
from training.recipe.config import TrainConfig
from training.corpora import load_corpora
from training.recipe.train import TrainOptions, train

out = Path(sys.argv[2])

def watch():
    while not (out / "checkpoint.pt").exists():
        time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=watch, daemon=True).start()
config = TrainConfig.read(Path(sys.argv[3]))
train(load_corpora(Path(sys.argv[1]), ["clips"]), config, out,
      TrainOptions(device="cpu", threads=1, progress=False,
                   cache=Path(sys.argv[1]) / "spectra"))
"""

TOML = """
name = "tiny"
epochs = 2
batch_size = 4
max_columns = 4
noise = ""
[[corpora]]
name = "clips"
[model]
n_filters = 8
"""


@pytest.fixture(scope="module")
def utterances(clip_corpora: Path) -> list[Utterance]:
    return load_corpora(clip_corpora, ["clips"])


@pytest.fixture(scope="module")
def cache(clip_corpora: Path) -> Path:
    """Where the clips' spectra are kept."""
    return clip_corpora / "spectra"


def run(utterances: list[Utterance], out: Path, config: TrainConfig = CONFIG) -> Path:
    cache = utterances[0].path.parents[1] / "spectra"
    options = TrainOptions(device="cpu", threads=1, progress=False, cache=cache)
    return train(utterances, config, out, options)


@pytest.fixture(scope="module")
def undisturbed(
    utterances: list[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run of two epochs."""
    return run(utterances, tmp_path_factory.mktemp("run")).parent


def epochs_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "epochs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_weights(a: Path, b: Path) -> None:
    ours, theirs = (load_checkpoint(folder / "checkpoint.pt") for folder in (a, b))
    assert ours["epoch"] == theirs["epoch"]
    for part in ("weights", "model"):
        assert ours[part].keys() == theirs[part].keys()
        for name, weight in ours[part].items():
            assert torch.equal(weight, theirs[part][name]), f"{part}: {name}"


def test_a_run_leaves_a_checkpoint_a_row_for_each_epoch_and_a_picture(
    undisturbed: Path,
) -> None:
    rows = epochs_in(undisturbed)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0.0 < float(row["loss"]) < 10.0 for row in rows)
    assert (undisturbed / "curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    saved = load_checkpoint(undisturbed / "checkpoint.pt")
    assert saved["epoch"] == 2
    # Boredom is none of the labels, and so its speaker has not been seen.
    assert saved["speakers"] == [f"clips/{s}" for s in ("03", "08", "10", "11", "15")]


def test_a_checkpoint_rebuilds_the_network_and_its_settings(undisturbed: Path) -> None:
    saved = load_checkpoint(undisturbed / "checkpoint.pt")
    model, config = build_model(saved)
    assert config == CONFIG
    assert not model.training
    assert model.encoder.mean.abs().max() > 1.0
    with torch.no_grad():
        assert model(torch.zeros(1, 38, 78)).shape == (1, 5)


def test_training_moves_the_weights_and_their_average(undisturbed: Path) -> None:
    saved = load_checkpoint(undisturbed / "checkpoint.pt")
    torch.manual_seed(CONFIG.seed)
    begin = Cpac(CONFIG.model).state_dict()
    name = "head.classifier.weight"
    moved = (saved["model"][name] - begin[name]).norm()
    kept = (saved["weights"][name] - begin[name]).norm()
    assert moved > kept > 0.0


def test_a_killed_run_goes_on_to_the_weights_of_an_undisturbed_one(
    undisturbed: Path, utterances: list[Utterance], clip_corpora: Path, tmp_path: Path
) -> None:
    out, toml = tmp_path / "out", tmp_path / "tiny.toml"
    toml.write_text(TOML)
    assert TrainConfig.read(toml) == CONFIG
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(clip_corpora), str(out), str(toml)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    half = load_checkpoint(out / "checkpoint.pt")
    assert half["epoch"] == 1
    # A kill while it wrote the next one would leave this, too.
    (out / ".part-leftover").write_bytes(b"half of a checkpoint")
    run(utterances, out)
    assert_same_weights(out, undisturbed)
    name = "head.classifier.weight"
    whole = load_checkpoint(out / "checkpoint.pt")
    assert not torch.equal(half["model"][name], whole["model"][name])
    # Of each epoch one row, with the same loss.
    ours = [(row["epoch"], row["loss"]) for row in epochs_in(out)]
    assert ours == [(row["epoch"], row["loss"]) for row in epochs_in(undisturbed)]


@pytest.mark.parametrize("corpus", ["{}/clips/tab.csv", "../clips/tab.csv"])
def test_caches_of_a_corpus_that_is_called_by_a_path_lie_where_all_do(
    corpus: str, utterances: list[Utterance], tmp_path: Path
) -> None:
    corpus = corpus.format(tmp_path)
    (tmp_path / "clips").mkdir()
    rows = [f"{u.path},{u.speaker},{u.emotion}" for u in utterances]
    (tmp_path / "clips/tab.csv").write_text("file,speaker,emotion\n" + "\n".join(rows))
    (tmp_path / "corpora").mkdir()
    clips = load_corpora(tmp_path / "corpora", [corpus])
    config = replace(CONFIG, corpora=(CorpusConfig(corpus),))
    cache = tmp_path / "runs/spectra"
    TrainingSet(clips, config, [], cache)
    assert len(list(cache.rglob("*.npz"))) == 5
    made = [path for path in tmp_path.rglob("*.npz") if cache not in path.parents]
    assert not made


def test_a_run_that_is_over_is_left_as_it_is(
    undisturbed: Path, utterances: list[Utterance]
) -> None:
    before = (undisturbed / "checkpoint.pt").read_bytes()
    run(utterances, undisturbed)
    assert (undisturbed / "checkpoint.pt").read_bytes() == before
    assert len(epochs_in(undisturbed)) == 2


def test_a_run_of_another_configuration_is_not_overwritten(
    undisturbed: Path, utterances: list[Utterance]
) -> None:
    before = (undisturbed / "checkpoint.pt").read_bytes()
    # The schedule depends on the number of epochs: more of them are another run.
    with pytest.raises(ConfigError, match="another configuration; delete it, or"):
        run(utterances, undisturbed, replace(CONFIG, epochs=3))
    assert (undisturbed / "checkpoint.pt").read_bytes() == before
    assert len(epochs_in(undisturbed)) == 2


def test_a_run_of_other_clips_is_not_gone_on_with(
    undisturbed: Path, utterances: list[Utterance], tmp_path: Path
) -> None:
    # That the corpus lost a clip of no label of the network decides nothing.
    run([u for u in utterances if u.emotion != "boredom"], undisturbed)
    fewer = [u for u in utterances if u.emotion != "sad"]
    relabelled = [
        replace(u, emotion="happy") if u.emotion == "sad" else u for u in utterances
    ]
    for others in (fewer, relabelled):
        with pytest.raises(ConfigError, match=r"checkpoint.pt .* another set of clips"):
            run(others, undisturbed)
    # Nor is one that was stopped, nor one before there was a hash refused.
    shutil.copytree(undisturbed, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.pt"
    save_checkpoint(path, {**load_checkpoint(path), "epoch": 1})
    with pytest.raises(ConfigError, match="another set of clips"):
        run(fewer, tmp_path / "out")
    saved = load_checkpoint(undisturbed / "checkpoint.pt")
    del saved["clips"]
    save_checkpoint(path, saved)
    run(fewer, tmp_path / "out")


def test_a_checkpoint_that_is_absent_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no checkpoint .*gone.pt"):
        load_checkpoint(tmp_path / "gone.pt")
    (tmp_path / "bad.pt").write_bytes(b"PK no checkpoint")
    with pytest.raises(ModelError, match=r"bad.pt is no checkpoint"):
        load_checkpoint(tmp_path / "bad.pt")
    for foreign, why in (
        ({"weights": {}}, "it has no epoch, config"),
        ([1], "it holds a list"),
    ):
        torch.save(foreign, tmp_path / "foreign.pt")
        with pytest.raises(ModelError, match=rf"foreign.pt is no .*{why}"):
            load_checkpoint(tmp_path / "foreign.pt")


def test_no_training_goes_on_from_a_slimmed_checkpoint(
    undisturbed: Path, utterances: list[Utterance], tmp_path: Path
) -> None:
    slim(undisturbed / "checkpoint.pt", tmp_path / "checkpoint.pt")
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ConfigError, match=r"checkpoint\.pt has no model, optimiser"):
        run(utterances, tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_epoch(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    config = replace(CONFIG, learning_rate=1e30)
    with pytest.raises(ModelError, match="the loss is nan in epoch 2; the last good"):
        run(utterances, tmp_path, config)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["epoch"] == 1


def test_clips_without_any_of_the_labels_are_refused(
    utterances: list[Utterance], tmp_path: Path
) -> None:
    bored = [u for u in utterances if u.emotion == "boredom"]
    assert len(bored) == 1
    with pytest.raises(SourceError, match="no clip has one of the labels angry, fear"):
        TrainingSet(bored, CONFIG, [], tmp_path)


def test_an_epoch_shows_all_classes_alike_in_windows_of_all_lengths(
    utterances: list[Utterance], cache: Path
) -> None:
    # Speaker 03 said one thing in anger, and now thirty times.
    angry = [u for u in utterances if u.emotion == "angry"]
    config = replace(CONFIG, batch_size=2)
    data = TrainingSet(utterances + 29 * angry, config, [], cache)
    maker = data.maker(np.random.default_rng(5))
    counts, lengths = np.zeros(5), set()
    for _ in range(4):
        for batch in data.batches(maker, np.zeros(78, np.float32)):
            n, rest = divmod(batch.frames.shape[1] - 30, 8)
            assert rest == 0
            lengths.add(n)
            counts += np.bincount(batch.targets.numpy(), minlength=5)
    assert lengths == {1, 2, 3, 4}
    assert counts.sum() == 4 * 17 * 2
    assert counts.min() > 0.5 * counts.mean()
    assert counts.max() < 1.5 * counts.mean()


def test_the_same_generator_gives_the_same_windows(
    utterances: list[Utterance], cache: Path
) -> None:
    data = TrainingSet(utterances, CONFIG, [], cache)

    def frames(seed: int) -> Tensor:
        maker = data.maker(np.random.default_rng(seed))
        return next(data.batches(maker, np.zeros(78, np.float32))).frames

    assert torch.equal(frames(3), frames(3))
    assert not torch.equal(frames(3)[:, :38], frames(4)[:, :38])


def test_a_corpus_says_nothing_about_classes_it_has_no_say_in(
    rng: np.random.Generator,
) -> None:
    config = replace(CONFIG, augment=replace(CONFIG.augment, mixup=0.0))
    torch.manual_seed(0)
    model = Cpac(config.model)
    allowed = torch.tensor([[False, False, True, False, True]] * 4)
    frames, targets = torch.randn(4, 38, 78), torch.tensor([2, 4, 2, 4])
    batch = Batch(frames, targets, allowed, torch.arange(4))
    loss, right = mixed_loss(model, batch, rng, config)
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = model.head.classifier.bias.grad
    assert gradient is not None
    assert (gradient != 0.0).tolist() == [False, False, True, False, True]
    # Among two classes; log 2 where nothing has been learned.
    assert 0.2 < loss.item() < 2.0
    assert 0 <= int(right) <= 4


def test_clips_of_classes_that_only_excludes_are_not_trained_on(
    utterances: list[Utterance], cache: Path, rng: np.random.Generator
) -> None:
    only = ("happy", "sad")
    config = replace(CONFIG, corpora=(CorpusConfig("clips", only=only),))
    data = TrainingSet(utterances, config, [], cache)
    assert sorted(u.emotion for u in data.utterances) == ["happy", "sad"]
    assert data.weights.tolist() == [0.5, 0.5]
    # No target is masked: a masked one costs 10,000.
    model = Cpac(config.model)
    for batch in data.batches(data.maker(rng), np.zeros(78, np.float32)):
        assert batch.allowed.gather(1, batch.targets[:, None]).all()
        assert mixed_loss(model, batch, rng, config)[0].item() < 5.0
    # Of two corpora, each is asked for its own.
    both = replace(config, corpora=(*config.corpora, CorpusConfig("others")))
    others = [replace(u, corpus="others") for u in utterances]
    kept = taught([*utterances, *others], both)
    assert [u.corpus for u in kept] == ["clips"] * 2 + ["others"] * 5
    angry = [u for u in utterances if u.emotion == "angry"]
    with pytest.raises(SourceError, match="that its corpus teaches"):
        TrainingSet(angry, config, [], cache)


def test_a_clip_of_an_unnamed_speaker_is_joined_with_none_but_itself(
    utterances: list[Utterance], cache: Path
) -> None:
    happy = next(u for u in utterances if u.emotion == "happy")
    twins = [happy, replace(happy, called="twin")]
    nobody = [u.without_name() for u in twins]
    data = TrainingSet([*twins, *nobody], CONFIG, [], cache)
    assert [list(data.alike(i)) for i in range(4)] == [[0, 1], [0, 1], [2], [3]]
    assert [list(data.same_speaker(i)) for i in (0, 2, 3)] == [[0, 1], [2], [3]]


def test_noise_recordings_of_voices_stay_out(data: Path, tmp_path: Path) -> None:
    assert load_noises(tmp_path / "nowhere") == {}
    for name in ("rain.flac", "baby_cry_1.flac", "man_imitating_a_cat.flac"):
        (tmp_path / name).symlink_to(data / "03a01Wa.flac")
    soundfile.write(tmp_path / "fan.wav", np.zeros(800), 8000)
    assert [(name, len(x)) for name, x in load_noises(tmp_path).items()] == [
        ("fan.wav", 1600),
        ("rain.flac", 30_045),
    ]
    # A table knows better than names.
    table = tmp_path / "manifest.csv"
    table.write_text("file,contains_voice\nrain.flac,yes\nbaby_cry_1.flac,no\n")
    assert list(load_noises(tmp_path)) == ["baby_cry_1.flac"]
    table.write_text("file\nrain.flac\n")
    with pytest.raises(SourceError, match="needs columns file and contains_voice"):
        load_noises(tmp_path)


def test_noise_that_is_not_there_is_told_and_the_checkpoint_says_what_there_was(
    clip_corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpora, out = tmp_path / "corpora", tmp_path / "out"
    shutil.copytree(clip_corpora / "clips", corpora / "clips")
    monkeypatch.chdir(tmp_path)  # where spectra are kept

    def trained(noise: str) -> tuple[int, str]:
        toml = tmp_path / "mine.toml"
        toml.write_text(TOML.replace('noise = ""', noise))
        words = ["training", "train", str(toml), "--corpora", str(corpora)]
        words += ["--epochs", "1", "--device", "cpu", "--out", str(out)]
        monkeypatch.setattr(sys, "argv", words)
        return main(), capsys.readouterr().err

    status, told = trained('noise = "nonexist"')
    assert status == 2
    assert told.startswith("training: error: noise is 'nonexist', but ")
    assert told.count("\n") == 1
    assert not out.exists()
    # Unless told otherwise there is a folder `noise`; who has none hears of it.
    status, told = trained("")
    assert status == 0
    assert told.startswith(f"training: no noise recordings in {corpora / 'noise'}: ")
    assert load_checkpoint(out / "checkpoint.pt")["noises"] == []
    (corpora / "noise").mkdir()
    soundfile.write(corpora / "noise/fan.wav", 0.1 * np.ones(16_000), 16_000)
    status, told = trained("")
    assert status == 2
    assert "belongs to another set of noise recordings" in told
    shutil.rmtree(out)
    assert trained("")[0] == 0
    saved = load_checkpoint(out / "checkpoint.pt")
    assert saved["noises"] == slimmed(saved)["noises"] == ["fan.wav"]


def test_a_device_that_is_not_there_is_named() -> None:
    assert pick_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert pick_device("auto").type == "cpu"
        with pytest.raises(ConfigError, match="no CUDA device; use --device cpu"):
            pick_device("cuda")


@pytest.mark.parametrize("option", ["--seed", "--threads"])
def test_a_number_below_zero_is_refused_in_one_line(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["training", "train", "mine.toml", "--corpora", "corpora", option, "-1"]
    monkeypatch.setattr(sys, "argv", command)
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{option}': -1 is not in the range x>=0" in line
