"""The adaptation pack: its windows are the pipeline's, and no other pack is taken."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch
from safetensors.torch import load_file

from export.__main__ import main
from export.pack import canary_speakers, export_pack
from ser_stream.adaptation.child.windows import read_windows, write_windows
from ser_stream.adaptation.pack import (
    CANARY,
    NETWORK,
    OPTIONAL,
    SOURCE,
    WEIGHTS,
    Pack,
    find_pack,
    load_pack,
)
from ser_stream.errors import ModelError, SourceError
from ser_stream.nn.cpac import Cpac, CpacConfig
from ser_stream.pipeline.bundle import MANIFEST, Bundle, load_bundle
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.values import Chunk, FloatArray
from tests.helpers.adaptation_packs import (
    EMOTIONS,
    clip,
    few_clips,
    open_network,
    rewrite_manifest,
    small_pack,
    training_set,
)
from tests.helpers.paths import CHECKPOINT, DATA, TINY
from tests.helpers.unknown_voices import OfUnknownVoices
from training.corpora import Utterance, load_corpora
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.evaluation.clip_steps import LogitRecorder
from training.recipe.adaptation_pack import write_pack
from training.recipe.config import CorpusConfig
from training.recipe.stream_window import speech_window


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("open")


@pytest.fixture(scope="module")
def made(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return small_pack(bundle, tmp_path_factory.mktemp("pack") / "adaptation")


@pytest.fixture
def copy(made: Pack, tmp_path: Path) -> Path:
    """A pack that a test may spoil."""
    return shutil.copytree(made.folder, tmp_path / "pack")


def test_the_packaged_pack_is_whole_and_that_of_the_packaged_model(
    bundle: Bundle,
) -> None:
    pack = load_pack(find_pack(bundle), bundle)
    manifest = pack.manifest
    assert not set(manifest["source"]["speakers"]) & set(manifest["canary"]["speakers"])
    assert sum(path.stat().st_size for path in pack.folder.iterdir()) <= 8_200_000
    for name in (SOURCE, CANARY):
        windows, said = read_windows(pack.folder / name), manifest[Path(name).stem]
        assert len(windows) == said["windows"]
        assert len(set(windows.speaker)) == len(said["speakers"])
        assert set(windows.label) == set(range(len(bundle.labels)))
        # No window says a class that its corpus may not speak of.
        assert windows.allowed[np.arange(len(windows)), windows.label].all()
    # EmoDB and CREMA-D, which speaks of two classes here.
    assert {c["name"]: c["licence"] for c in manifest["corpora"]} == {
        "EmoDB": "CC0-1.0",
        "CREMA-D": "ODbL-1.0",
    }
    assert manifest["canary_heard_in_training"] is True


def test_the_weights_and_windows_of_the_packaged_pack_know_their_classes(
    bundle: Bundle,
) -> None:
    pack = load_pack(find_pack(bundle), bundle)
    network = Cpac(CpacConfig.from_dict(pack.manifest["cpac"])).eval()
    network.load_state_dict(load_file(pack.folder / WEIGHTS))
    windows = read_windows(pack.folder / CANARY)
    right, some = 0, range(0, len(windows), 3)
    for i in some:
        with torch.no_grad():
            logits = network(torch.from_numpy(windows.window(i))[None])[0].numpy()
        right += int(np.where(windows.allowed[i], logits, -np.inf).argmax()) == int(
            windows.label[i]
        )
    assert right / len(some) > 0.8


def test_windows_are_what_the_pipeline_made_its_last_prediction_of(
    bundle: Bundle, clips: dict[str, FloatArray]
) -> None:
    network, before = open_network(), clips["10a01Nb"]
    for past in (None, before):
        for stem in ("03a01Wa", "15a02Ac"):
            frames = speech_window(clips[stem], bundle.front_end, past)
            assert frames is not None
            recorder = LogitRecorder(OfUnknownVoices(bundle))
            pipeline = Pipeline(recorder, bundle.front_end)
            start = 0
            if past is not None:
                noise = np.random.default_rng(0).standard_normal(16000) * 1e-4
                stream = np.concatenate([past, noise.astype(np.float32)])
                pipeline.feed(Chunk(0, stream))
                start = len(stream)
            pipeline.feed(Chunk(start, clips[stem]))
            columns, logits = recorder.columns[-1], recorder.logits[-1]
            with torch.no_grad():
                whole = network(torch.from_numpy(frames)[None])[0].numpy()
            assert len(frames) == 8 * columns + 30
            assert whole == pytest.approx(logits, abs=1e-4)


def test_silence_has_no_window(bundle: Bundle) -> None:
    assert speech_window(np.zeros(16000, np.float32), bundle.front_end) is None


def test_windows_of_any_length_come_back(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    frames = [
        rng.normal(-50, 40, (8 * n + 30, 78)).astype(np.float32) for n in (1, 25, 7)
    ]
    frames[0][:, 5] = frames[1][:, 5] = frames[2][:, 5] = 3.0  # never moves
    allowed = [[True, True], [False, True], [True, False]]
    write_windows(tmp_path / "w", frames, [0, 1, 0], [2, 0, 1], allowed)
    windows = read_windows(tmp_path / "w")
    assert windows.frames.shape == (3, 230, 78)
    assert windows.columns.tolist() == [1, 25, 7]
    assert windows.label.tolist() == [0, 1, 0]
    assert windows.speaker.tolist() == [2, 0, 1]
    assert windows.allowed.tolist() == allowed
    everything = np.concatenate(frames)
    step = (everything.max(0) - everything.min(0)) / 255
    for i, exact in enumerate(frames):
        assert np.all(np.abs(windows.window(i) - exact) <= step * 0.51 + 1e-4)
        assert not windows.frames[i, len(exact) :].any()


@pytest.mark.parametrize("spoil", ["absent", "half", "other", "one frame short"])
def test_a_damaged_file_of_windows_is_refused(
    spoil: str, made: Pack, tmp_path: Path
) -> None:
    path = tmp_path / "w"
    content = (made.folder / SOURCE).read_bytes()
    if spoil == "half":
        path.write_bytes(content[: len(content) // 2])
    elif spoil == "other":
        path.write_bytes((made.folder / WEIGHTS).read_bytes())
    elif spoil == "one frame short":
        short = np.zeros((8 * 5 + 29, 78), np.float32)
        write_windows(path, [short], [0], [0], [[True]])
    with pytest.raises(ModelError, match="cannot be read as windows"):
        read_windows(path)


def test_the_manifest_says_what_was_trained_on(made: Pack, bundle: Bundle) -> None:
    manifest = made.manifest
    assert manifest["source"]["speakers"] == ["emodb/03", "emodb/08", "emodb/10"]
    assert manifest["canary"]["speakers"] == ["emodb/11", "emodb/15"]
    assert manifest["canary"]["of_class"]["emodb"]["sad"] == 1
    assert manifest["max_logit_difference"] <= 1e-4
    assert tuple(manifest["labels"]) == bundle.labels
    windows = read_windows(made.folder / SOURCE)
    for i in range(len(windows)):
        speaker = manifest["source"]["speakers"][windows.speaker[i]]
        stem = next(s for s in EMOTIONS if speaker == f"emodb/{s[:2]}")
        assert bundle.labels[windows.label[i]] == EMOTIONS[stem]


CPAC = CpacConfig.listening(5).to_dict()


def _remove(folder: Path) -> None:
    (folder / CANARY).unlink()


def _flip(folder: Path) -> None:
    content = bytearray((folder / SOURCE).read_bytes())
    content[-1] ^= 1
    (folder / SOURCE).write_bytes(content)


def _edit(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"emodb/03"', '"emodb/04"'))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_remove, "not a whole pack: canary.safetensors is missing"),
        (_flip, "source.safetensors was changed or damaged"),
        (_edit, "was changed after it was written"),
        (lambda f: (f / MANIFEST).unlink(), "is no adaptation pack"),
        (lambda f: (f / MANIFEST).write_text("{"), "is not valid JSON"),
        (lambda f: (f / MANIFEST).write_text("[]"), "not a pack's manifest"),
        (lambda f: rewrite_manifest(f, format=2), "from a newer version"),
        (lambda f: rewrite_manifest(f, files=None), "makes no sense: files is missing"),
        (lambda f: rewrite_manifest(f, files={}), "was changed or damaged"),
        (lambda f: rewrite_manifest(f, cpac=None), "makes no sense: cpac is missing"),
        (
            lambda f: rewrite_manifest(f, cpac=CPAC | {"gain": "high"}),
            r"cpac\.gain is missing or of the wrong kind",
        ),
        (
            lambda f: rewrite_manifest(f, cpac=CPAC | {"wings": 2}),
            "cpac has wings, which no network has",
        ),
        (
            lambda f: rewrite_manifest(f, cpac=CPAC | {"n_classes": 3}),
            r"cpac\.n_classes is 3, and there are 5 labels",
        ),
        (
            lambda f: rewrite_manifest(f, labels=["angry", "sad"]),
            "has the labels angry, sad, but the model open has angry, fear, happy",
        ),
        (
            lambda f: rewrite_manifest(f, front_end_hash="0" * 64),
            "made for another front end: hash 000000000000",
        ),
        (
            lambda f: rewrite_manifest(
                f, model={"name": "open", "files": {"encoder.onnx": "1"}}
            ),
            "belongs to another model of the name open",
        ),
    ],
)
def test_a_pack_that_is_not_whole_or_not_of_this_model_is_refused(
    spoil: Callable[[Path], object], said: str, copy: Path, bundle: Bundle
) -> None:
    spoil(copy)
    with pytest.raises(ModelError, match=said) as caught:
        load_pack(copy, bundle)
    assert "\n" not in str(caught.value)


def test_a_pack_fits_what_adaptation_made_of_its_model(
    made: Pack, bundle: Bundle
) -> None:
    files = bundle.manifest["files"]
    manifest = {
        **bundle.manifest,
        "files": dict.fromkeys(files, "changed"),
        "adaptation": {"base": {"files": files}},
    }
    descendant = replace(bundle, manifest=manifest, adapted=True)
    assert load_pack(made.folder, descendant).sha256 == made.sha256
    stranger = replace(bundle, manifest=manifest)
    with pytest.raises(ModelError, match="belongs to another model"):
        load_pack(made.folder, stranger)


def test_what_a_manifest_says_of_the_network_is_all_of_it() -> None:
    plain, with_mean = CpacConfig(), CpacConfig(speaker_mean=True)
    assert NETWORK.keys() == plain.to_dict().keys()
    assert {*NETWORK, *OPTIONAL} == with_mean.to_dict().keys()


def test_an_adapted_bundle_has_the_pack_of_its_base(
    bundle: Bundle, tmp_path: Path
) -> None:
    base = {"name": "open", "sha256": bundle.sha256, "files": bundle.manifest["files"]}
    manifest = {**bundle.manifest, "adaptation": {"base": base}}
    adapted = replace(bundle, folder=tmp_path, manifest=manifest, adapted=True)
    assert find_pack(adapted) == bundle.folder / "adaptation"
    base["files"] = dict.fromkeys(base["files"], "another")
    with pytest.raises(ModelError, match=r"adapted from open \([0-9a-f]{12}\), whose"):
        find_pack(adapted)
    manifest["adaptation"] = None
    with pytest.raises(ModelError, match="does not say from which model"):
        find_pack(adapted)


def test_a_pack_that_is_not_there_says_how_to_make_one(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="python -m export adaptation-pack"):
        find_pack(replace(bundle, folder=tmp_path))
    with pytest.raises(ModelError, match=r"there is no folder .*; adapt\.pack must"):
        find_pack(bundle, tmp_path / "none")
    assert find_pack(bundle, tmp_path) == tmp_path


def test_nothing_is_written_where_a_canary_speaker_is_a_source_speaker(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="emodb/03 would be in the source and"):
        write_pack(
            open_network(), bundle, few_clips(), [clip("03a01Wa")], tmp_path / "pack"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [1.0, float("nan")])
def test_nothing_is_written_of_other_weights_than_the_graphs(
    value: float, bundle: Bundle, tmp_path: Path
) -> None:
    network = open_network()
    with torch.no_grad():
        network.head.classifier.bias[0] += value
    with pytest.raises(ModelError, match="the weights are not those of"):
        write_pack(
            network,
            bundle,
            few_clips(),
            [clip("11a07Ta")],
            tmp_path / "pack",
            n_source=2,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_folder_is_left_alone_and_a_pack_replaced(
    bundle: Bundle, copy: Path, tmp_path: Path
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    for place, said in ((full, "is not empty and no pack"), (full / "thesis.txt", "a")):
        with pytest.raises(ModelError, match=said):
            small_pack(bundle, place)
    assert (full / "thesis.txt").read_text() == "mine"
    again = small_pack(bundle, copy, n_source=2, about={"made_by": "a test"})
    assert again.manifest["source"]["windows"] == 2
    assert again.manifest["made_by"] == "a test"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "pack"]


def test_the_canary_is_balanced_and_has_only_the_classes_of_its_corpus(
    bundle: Bundle, tmp_path: Path
) -> None:
    # One speaker says nearly everything; the two others are drawn as often all the
    # same, and a corpus that may not speak of anger is not asked about it.
    def said(corpus: str, speaker: str, n: int) -> list[Utterance]:
        angry = clip("03a01Wa")
        return [
            replace(angry, corpus=corpus, speaker=speaker, called=f"{speaker}{i}")
            for i in range(n)
        ]

    happy = replace(clip("08a04Ff"), corpus="d")
    canary = said("a", "often", 9) + said("a", "b", 2) + said("a", "c", 2)
    pack = write_pack(
        open_network(),
        bundle,
        training_set(
            [*said("a", "a", 1), happy],
            CorpusConfig("a"),
            CorpusConfig("d", only=("happy", "sad")),
        ),
        canary + said("d", "d", 3),
        tmp_path / "pack",
        n_source=8,
        n_canary=6,
    )
    windows = read_windows(pack.folder / CANARY)
    assert pack.manifest["canary"]["speakers"] == ["a/b", "a/c", "a/often"]
    assert np.bincount(windows.speaker).tolist() == [2, 2, 2]
    assert windows.allowed.all()
    source = read_windows(pack.folder / SOURCE)
    asked = [bundle.labels.index(label) for label in ("happy", "sad")]
    for allowed, label in zip(source.allowed, source.label, strict=True):
        if bundle.labels[label] == "happy":
            assert np.flatnonzero(allowed).tolist() == asked
        else:
            assert allowed.all()


def test_the_canary_takes_speakers_not_trained_on_or_an_eighth() -> None:
    people = [
        replace(clip("03a01Wa"), speaker=f"{i:02}", sex=("female", "male")[i % 2])
        for i in range(10)
    ]
    everybody = {f"emodb/{u.speaker}" for u in people}
    assert canary_speakers(people, "emodb", everybody - {"emodb/07"}) == ["emodb/07"]
    # One woman and one man.
    assert canary_speakers(people, "emodb", everybody) == ["emodb/00", "emodb/01"]
    assert len(canary_speakers(people, "emodb", everybody, 4)) == 4
    with pytest.raises(SourceError, match="emodb has 10 speakers, and 10 of them"):
        canary_speakers(people, "emodb", everybody, 10)
    # Whom nobody knows cannot be held out.
    nobody = [u.without_name() for u in people]
    assert canary_speakers(nobody, "emodb", {"emodb/unnamed"}) == []
    assert "emodb/unnamed" not in canary_speakers([*people, *nobody], "emodb", set())


def test_a_speaker_without_a_clip_of_the_classes_is_not_the_canary(
    tmp_path: Path, tiny: Path, clip_corpora: Path
) -> None:
    # Nobody else was left out of the training, but of her all that is said is bored.
    clips = load_corpora(clip_corpora, ["emodb"])
    bored = {u.person for u in clips if u.emotion == "boredom"}
    learned = sorted({u.person for u in clips} - bored)
    checkpoint = tmp_path / "learned.pt"
    save_checkpoint(checkpoint, {**load_checkpoint(TINY), "speakers": learned})
    out, cache = tmp_path / "pack", tmp_path / "spectra"
    pack = export_pack(checkpoint, tiny, clip_corpora, out, cache=cache)
    canary = pack.manifest["canary"]["speakers"]
    assert len(canary) == 2
    assert set(canary) <= set(learned)
    assert pack.manifest["canary_heard_in_training"] is True


def test_the_command_writes_the_pack_into_the_bundle(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpora = tmp_path / "corpora"
    rows = [(f"{s}.flac", s[:2], e) for s, e in EMOTIONS.items()]
    # The checkpoint asks for CREMA-D too; clips at hand stand in for its.
    others = [
        (f"{stem}.flac", speaker, EMOTIONS[stem])
        for speaker in ("1001", "1002")
        for stem in ("08a04Ff", "11a07Ta")
    ]
    for name, table in (("emodb", rows), ("crema-d", others)):
        (corpora / name).mkdir(parents=True)
        lines = [f"{DATA / file},{speaker},{word}" for file, speaker, word in table]
        text = "\n".join(["file,speaker,emotion", *lines])
        (corpora / name / "manifest.csv").write_text(text)
    bundle = shutil.copytree(
        load_bundle("open").folder,
        tmp_path / "bundle",
        ignore=shutil.ignore_patterns("adaptation"),
    )
    command = [
        "export",
        "adaptation-pack",
        str(CHECKPOINT),
        str(bundle),
        "--corpora",
        str(corpora),
        "--hold-out",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.chdir(tmp_path)  # where spectra are kept
    assert main() == 0
    assert "canary: 3 windows of 2 speakers" in capsys.readouterr().out
    loaded = load_bundle(str(bundle))
    pack = load_pack(find_pack(loaded), loaded)
    assert pack.manifest["canary"]["speakers"] == ["crema-d/1001", "emodb/03"]
    assert pack.manifest["made_by"].endswith("--hold-out 1")
    windows = read_windows(pack.folder / SOURCE)
    assert set(windows.allowed.sum(1).tolist()) == {2, 5}
    assert (tmp_path / "runs" / "spectra" / "emodb").is_dir()
    assert (pack.folder / SOURCE).stat().st_mode & 0o044

    monkeypatch.setattr(sys, "argv", ["export", "adaptation-pack", "none.pt", "x"])
    monkeypatch.setenv("SER_CORPORA", str(corpora))
    assert main() == ModelError.exit_status
    assert capsys.readouterr().err == "export: error: there is no checkpoint none.pt\n"


def test_a_bundle_is_exported_without_naming_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for words in (["none.pt", str(tmp_path)], ["--name", "x", "none.pt", "y"]):
        monkeypatch.setattr(sys, "argv", ["export", *words])
        assert main() == ModelError.exit_status
        assert "there is no checkpoint none.pt" in capsys.readouterr().err
