"""Steps of clips become metrics, by corpus, sex and language."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from training.evaluation.bootstrap import Counts, percent
from training.evaluation.calibration import Calibration
from training.evaluation.clip_steps import ClipSteps
from training.evaluation.metrics import ScoredClip, report, summary

LABELS = ["angry", "happy", "sad"]


def clip(
    speaker: str,
    truth: int,
    *said: tuple[int, float],
    corpus: str = "a",
    language: str = "German",
    uncertain: float = 0.5,
) -> ScoredClip:
    """A clip whose steps give a label a score, and the others the rest in halves."""
    logits = []
    for label, score in said:
        row = [math.log((1 - score) / 2)] * 3
        row[label] = math.log(score)
        logits.append(row)
    sex = "female" if speaker < "m" else "male"
    name = f"{corpus}/{speaker}-{truth}-{len(said)}"
    columns = list(range(1, 2 * len(said), 2))
    steps = ClipSteps(name, speaker, truth, columns, logits, corpus, sex, language)
    return ScoredClip.of(steps, Calibration(), uncertain)


CLIPS = [
    clip("f", 0, (0, 0.8), (0, 0.6)),
    clip("f", 1, (0, 0.9)),
    clip("m", 0, (1, 0.4), (0, 0.7)),
    clip("m", 1, (1, 0.6), corpus="b", language="English"),
    clip("m", 1, corpus="b", language="English"),
]


def test_clips_are_scored_as_recognize_scores_them() -> None:
    found = summary(CLIPS, LABELS)
    # Angry: two of two. Happy: one of three, and the one without speech is wrong. Sad:
    # no clip has it, so it has no recall.
    assert found["recall"] == {"angry": 100.0, "happy": 33.3, "sad": None}
    assert found["UAR"] == 66.7
    assert found["WAR"] == 60.0
    assert (found["n"], found["n_without_speech"]) == (5, 1)
    # Speaker m of one corpus is not speaker m of the other.
    assert found["n_speakers"] == 3
    assert found["confusion_matrix"][:2] == [[2, 0, 0], [1, 1, 0]]


def test_steps_under_the_threshold_have_no_label() -> None:
    steps = summary(CLIPS, LABELS)["steps"]
    assert steps["n"] == 6
    assert steps["WAR"] == pytest.approx(100 * 4 / 6, abs=0.1)
    assert steps["coverage"] == pytest.approx(100 * 5 / 6, abs=0.1)
    assert steps["WAR_when_certain"] == 80.0
    assert steps["ECE_excess"] == pytest.approx(
        steps["ECE"] - steps["ECE_perfect"], abs=2e-3
    )
    stricter = [clip("f", 0, (0, 0.8), (0, 0.6), uncertain=0.7)]
    assert summary(stricter, LABELS)["steps"]["coverage"] == 50.0


def test_groups_add_up_to_the_whole() -> None:
    found = report(CLIPS, LABELS, 0.5)
    assert list(found["corpora"]) == ["a", "b"]
    assert list(found["sexes"]) == ["female", "male"]
    assert list(found["languages"]) == ["English", "German"]
    for key in ("corpora", "sexes", "languages"):
        assert sum(group["n"] for group in found[key].values()) == 5
    assert found["corpora"]["b"]["UAR"] == 50.0
    assert found["corpora"]["b"]["n_without_speech"] == 1
    assert found["sexes"]["female"]["UAR_interval"] is None
    assert found["steps"]["uncertain"] == 0.5
    assert found["risk_coverage"]["points"][-1]["threshold"] == 0.85


def test_window_lengths_are_of_the_first_step_that_has_them() -> None:
    found = report(CLIPS, LABELS, 0.5)["columns"]
    assert found["1"]["n"] == 4
    # The longest of these clips has a window of three columns.
    assert set(found) == {"1"}


def test_no_clip_has_speech() -> None:
    found = report([clip("f", 0), clip("m", 1)], LABELS, 0.5)
    assert found["UAR"] == 0.0
    assert found["steps"] == {"uncertain": 0.5, "n": 0}
    assert found["ECE"] is None
    assert "risk_coverage" not in found


def test_intervals_are_told_with_what_they_rest_on() -> None:
    counts = Counts.of([0, 0, 1, 1], [0, 1, 1, 1], ["x", "y", "x", "y"], 2)
    assert counts.described()["UAR_interval"] == [50.0, 100.0]
    row = {"n_speakers": 2, **counts.described()}
    assert percent(row) == "75.0 (50.0 to 100.0)†"
    assert percent({**row, "n_speakers": 5}, "WAR") == "75.0 (50.0 to 100.0)"
    assert percent({"UAR": 40.0, "UAR_interval": None}) == "40.0"


def test_a_clip_is_scored_by_its_steps_and_by_long_windows_most() -> None:
    one = CLIPS[0]
    assert one.clip.columns == [1, 3]
    assert one.whole is not None
    assert np.allclose(one.whole, [0.62, 0.19, 0.19])
