"""The evaluation of adaptation: splits, replay, arithmetic, and that it goes on."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import DEFAULT_MODEL, load_bundle
from tests.helpers.paths import DATA
from training.corpora import Utterance
from training.corpora.limit import limited
from training.engine.result_store import Result
from training.evaluation.adaptation.attacks import harms
from training.evaluation.adaptation.confident_errors import confident_errors
from training.evaluation.adaptation.conversation import (
    PAUSE_S,
    TURN,
    looped,
    talk,
    with_pause,
    write_recording,
)
from training.evaluation.adaptation.gains import all_gains, halves
from training.evaluation.adaptation.music_attack import PIECE_S, minutes, music
from training.evaluation.adaptation.page import BEGIN, END, write_page
from training.evaluation.adaptation.run_daemon import run_daemon
from training.evaluation.adaptation.score import NONE, balanced, compared, predictions
from training.evaluation.adaptation.settings import PAIRS, AdaptEvalConfig, result_store
from training.evaluation.adaptation.source_bundle import split_source
from training.evaluation.adaptation.summary import summarise, verdicts
from training.protocols.names import PAPER_CLASSES

RATE = 16_000


def clips_of(corpus: str = "savee", n: int = 12) -> list[Utterance]:
    """Four speakers of both sexes, each with so many clips of each of seven classes."""
    return [
        Utterance(
            corpus,
            Path(f"/nowhere/{speaker}-{emotion}-{i}.wav"),
            speaker,
            "female" if speaker in "AC" else "male",
            emotion,
            str(i),
            "English",
        )
        for speaker in "ABCD"
        for emotion in (*PAPER_CLASSES, "disgust", "surprise")
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def minute() -> list[Utterance]:
    """The clips in tests/data, by their names: EmoDB's codes."""
    with (DATA / "emodb_minute.csv").open(encoding="utf-8") as file:
        emotions = {row["file"]: row["emotion"] for row in csv.DictReader(file)}
    codes = {"W": "angry", "F": "happy", "N": "neutral", "T": "sad", "A": "fear"}
    found = []
    for path in sorted(DATA.glob("*a0*.flac")):
        emotion = emotions.get(path.name) or codes.get(path.stem[5])
        if emotion in PAPER_CLASSES:
            speaker = path.name[:2]
            found.append(Utterance("emodb", path, speaker, "male", emotion, "", "de"))
    assert len(found) >= 3
    return found


def test_a_talk_says_every_clip_once_in_turns_of_one_speaker() -> None:
    clips = clips_of()
    said = talk(clips, seed=98)
    assert sorted(u.name for u in said) == sorted(u.name for u in clips)
    assert talk(list(reversed(clips)), seed=98) == said
    assert talk(clips, seed=99) != said
    runs, before = [], None
    for clip in said:
        if clip.speaker != before:
            runs.append(0)
        runs[-1] += 1
        before = clip.speaker
    # Two turns of one speaker may follow each other; 84 clips are 8 turns and a rest.
    assert max(runs) <= 4 * TURN
    assert all(run % TURN in (0, 4, 8) for run in runs)


def test_the_order_of_a_talk_knows_no_emotion() -> None:
    clips = clips_of()
    others = [replace(u, emotion="angry") for u in clips]
    assert [u.name for u in talk(clips, 1)] == [u.name for u in talk(others, 1)]


def test_no_speaker_is_both_adapted_to_and_scored() -> None:
    clips = clips_of()
    heard, scored = halves(clips, "savee", 1)
    assert {u.speaker for u in heard} | {u.speaker for u in scored} == set("ABCD")
    assert not {u.speaker for u in heard} & {u.speaker for u in scored}
    assert {u.sex for u in heard} == {u.sex for u in scored} == {"female", "male"}
    assert {u.emotion for u in heard} == set(PAPER_CLASSES)
    assert halves(clips, "savee", 2) == (scored, heard)


@pytest.mark.parametrize("seed", [98, 99])
def test_the_canary_and_what_is_scored_are_of_speakers_held_out(seed: int) -> None:
    split = split_source(clips_of(), "savee", seed)
    parts = [
        {u.name for u in part} for part in (split.train, split.canary, split.score)
    ]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert {u.speaker for u in [*split.canary, *split.score]} == set(split.held_out)
    assert not {u.speaker for u in split.train} & set(split.held_out)
    assert {u.emotion for u in split.canary} == {u.emotion for u in split.score}


def test_a_recording_is_its_pieces_with_a_faint_room(
    minute: list[Utterance], tmp_path: Path
) -> None:
    path = tmp_path / "heard.flac"
    seconds = write_recording(path, map(with_pause, minute), seed=1)
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    lengths = [soundfile.info(u.path).frames for u in minute]
    assert len(samples) == sum(lengths) + len(minute) * PAUSE_S * RATE
    assert seconds == len(samples) / RATE
    pause = samples[lengths[0] + 1000 : lengths[0] + 15_000]
    assert -80 < 20 * np.log10(pause.std()) < -60
    first = soundfile.read(minute[0].path, dtype="float32")[0]
    assert np.abs(samples[: lengths[0]] - first).max() < 0.005


def test_clips_are_looped_for_as_long_as_is_asked(minute: list[Utterance]) -> None:
    pieces = list(looped(minute[:2], 20.0))
    assert sum(map(len, pieces)) >= 20 * RATE
    assert sum(map(len, pieces[:-1])) < 20 * RATE
    assert np.array_equal(pieces[0], pieces[2])


def test_music_is_finite_and_the_same_for_the_same_seed() -> None:
    piece = next(minutes(music, 60, seed=3))
    assert len(piece) == PIECE_S * RATE
    assert np.isfinite(piece).all()
    assert 0.01 < piece.std() < 0.3
    assert np.array_equal(piece, next(minutes(music, 60, seed=3)))


def test_a_subset_has_as_many_of_each_speaker_and_class() -> None:
    clips = clips_of()
    chosen = balanced(clips, 40, PAPER_CLASSES, seed=1)
    groups = [(u.speaker, u.emotion) for u in chosen]
    assert len(chosen) == 40
    assert {groups.count(group) for group in groups} == {2}
    assert balanced(clips, 10**6, PAPER_CLASSES, seed=1) == limited(
        [u for u in clips if u.emotion in PAPER_CLASSES], None
    )
    assert len(limited(clips, 1)) == 4 * 7


SHEET: dict[str, list[Any]] = {
    "speaker": ["a", "a", "b", "b", "c", "c"],
    "truth": [0, 1, 0, 1, 0, 1],
}


def test_a_change_is_that_of_the_recall_over_classes() -> None:
    found = compared(SHEET, [0, 0, 0, 0, 0, NONE], [0, 1, 0, 1, 0, 0])
    assert found["UAR_before"] == 50.0
    assert found["UAR_after"] == 83.33
    assert found["gain"] == 33.33
    # Every speaker but c gained one of its two clips; a draw may be of c alone.
    assert found["gain_interval"] == [0.0, 50.0]
    assert found["n_speakers"] == 3
    same = compared(SHEET, SHEET["truth"], SHEET["truth"])
    assert same["gain_interval"] == [0.0, 0.0]
    one: dict[str, list[Any]] = {"speaker": ["a", "a"], "truth": [0, 1]}
    assert compared(one, [0, 0], [0, 1])["gain_interval"] is None


def cell(
    pair: str, seed: int, half: int, predicted: dict[str, list[int]], **more: Any
) -> Result:
    """A finished cell of gains, with two speakers of two clips."""
    source, target = pair.split("-")
    names = ["ab", "cd"][half - 1]
    sheet = {
        "name": [f"{target}/{name}{i}" for name in names for i in (0, 1)],
        "speaker": [f"{target}/{name}" for name in names for _ in (0, 1)],
        "truth": [0, 1, 0, 1],
        "predicted": predicted,
    }
    return {
        "protocol": {"source": source, "target": target, "seed": seed, "half": half},
        "labels": ["angry", "sad"],
        "target": sheet,
        "source": {"methods": {"adapt": {"gain": -1.0}}},
        "rounds": [
            {
                "phase": "accepted",
                "reason": "",
                "evidence": {"cpu_s": 60.0, "peak_rss_mb": 500.0},
            }
        ],
        "versions": [{"sha256": "0", "predicted": predicted["adapt"]}],
        **more,
    }


WRONG, RIGHT = [1, 1, 1, 1], [0, 1, 0, 1]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two pairs, both halves; one seed gains on half 1, none on half 2."""
    folder = tmp_path / "results/adapt-eval"
    for pair in ("casia-savee", "emodb-savee"):
        for half in (1, 2):
            gained = RIGHT if half == 1 else WRONG
            said = {"before": WRONG, "adapt": gained, "caam": RIGHT, "adabn": WRONG}
            made = cell(pair, 98, half, said)
            protocol = made.pop("protocol")
            result_store(folder, folder).write(f"gains/{pair}-{half}", protocol, made)
    return folder


def test_the_summary_scores_every_clip_once_and_says_how_sure_it_is(
    results: Path,
) -> None:
    found = summarise(results)
    pair = found["pairs"]["casia-savee"]
    assert pair["complete"]
    assert pair["adapt"]["n"] == 8
    assert pair["adapt"]["n_speakers"] == 4
    assert pair["adapt"]["UAR_before"] == 50.0
    assert pair["adapt"]["UAR_after"] == 75.0
    assert pair["adapt"]["gain"] == 25.0
    # Of four speakers two gain 50 points, so a draw gains 0 to 50 in steps of 12.5.
    assert pair["adapt"]["gain_interval"] == [0.0, 50.0]
    assert pair["caam"]["gain_interval"] == [50.0, 50.0]
    assert found["mean_gain"] == 25.0
    # The same speakers are drawn for both pairs: no false comfort from the second.
    assert found["mean_gain_interval"] == pair["adapt"]["gain_interval"]
    assert found["lowest_bound_of_a_pair"] == 0.0
    assert found["share_of_caam"] == 0.5
    assert found["adabn"]["gain"] == 0.0
    assert found["source"]["adapt"]["mean_loss"] == 1.0
    assert found["cost"]["cpu_s"]["most"] == 60.0
    assert found["cost"]["rounds"] == 4


def test_half_a_pair_is_told_as_such(results: Path) -> None:
    (results / "gains/casia-savee-2.json").unlink()
    found = summarise(results)
    assert not found["pairs"]["casia-savee"]["complete"]
    assert found["pairs"]["casia-savee"]["adapt"]["n_speakers"] == 2


def test_the_page_has_the_results_between_its_marks(
    results: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Ours\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    written = write_page(results, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Ours\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "old" not in text
    assert "| CASIA → SAVEE" in text or "CASIA" in text
    assert "+25.0 (+0.0 to +50.0)" in text
    assert [Path(name).name for name in written] == [
        "page.md",
        "gains.png",
        "rounds.png",
    ]
    write_page(results, page)
    assert page.read_text(encoding="utf-8") == text
    page.write_text("# no marks\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="needs the lines"):
        write_page(results, page)


def test_the_experiments_are_all_pairs_seeds_and_halves(tmp_path: Path) -> None:
    cells = all_gains(AdaptEvalConfig(tmp_path))
    assert len({cell.name for cell in cells}) == len(cells) == 24
    assert len(PAIRS) == 6
    with pytest.raises(ConfigError, match="no pair 'emodb-emodb'; allowed: casia-em"):
        AdaptEvalConfig(tmp_path, pairs=("emodb-emodb",))
    with pytest.raises(ConfigError, match="no part 'luck'; allowed: gains, attacks"):
        AdaptEvalConfig(tmp_path, only=("luck",))


def test_harm_is_an_accepted_version_surely_worse_somewhere() -> None:
    def version(sha256: str, **bounds: list[float] | None) -> Result:
        sets = {name: {"gain_interval": b} for name, b in bounds.items()}
        return {"sha256": sha256, "sets": sets}

    accepted = [
        version("a" * 64, all=[-3.0, 0.5], savee=[-5.0, -0.1]),
        version("b" * 64, all=[-3.0, 0.0], savee=None),
    ]
    assert harms(accepted) == ["aaaaaaaaaaaa on savee"]


def test_a_round_that_failed_is_not_counted_as_rejected() -> None:
    judged = {"evidence": {"canary_uar_after": 0.4}}
    history = [
        {"phase": "rejected", **judged},
        {"phase": "rejected", "evidence": {}},
        {"phase": "accepted", **judged},
        {"phase": "rolled_back", "evidence": {}},
    ]
    assert verdicts(history) == {
        "accepted": 1,
        "rejected": 1,
        "failed": 1,
        "rolled_back": 1,
    }


def test_a_hostile_speaker_says_what_the_model_is_surest_of_and_wrong(
    minute: list[Utterance],
) -> None:
    bundle = load_bundle(DEFAULT_MODEL)
    said = predictions(bundle, minute)
    right = [
        u for u, n in zip(minute, said, strict=True) if bundle.labels[n] == u.emotion
    ]
    assert len(right) >= 2
    # The model knows these clips; with another truth it is wrong about them.
    liar = [
        replace(u, speaker="liar", emotion="sad" if u.emotion != "sad" else "angry")
        for u in right
    ]
    assert {u.speaker for u in confident_errors([*minute, *liar], bundle)} == {"liar"}


def test_a_replay_goes_through_the_real_daemon_to_its_end(tmp_path: Path) -> None:
    bundle = load_bundle(DEFAULT_MODEL)
    done = run_daemon(DATA / "emodb_minute.flac", bundle, tmp_path / "replay")
    # A minute is too little for a round: the active version is what it began with.
    assert done.final.sha256 == bundle.sha256
    assert not done.versions
    assert not done.history
    assert 20 < done.speech_s < 60
    info = soundfile.info(DATA / "emodb_minute.flac")
    steps = 1 + int((info.frames - 8200) / 3200)
    assert len(done.latencies_ms) == steps
