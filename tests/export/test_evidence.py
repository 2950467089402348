"""A bundle carries what was measured of it, and nothing measured of another."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from export.bundle import Export, export_bundle
from export.card import render_card, renew_card
from export.corpora import bundle_licence, check_name, describe
from export.evidence import choose_thresholds, read_stream_eval, read_unseen
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import load_bundle, sealed
from ser_stream.pipeline.bundle_evidence import read_evidence
from ser_stream.pipeline.smoothing import SmoothingConfig
from tests.helpers.packaged_graphs import use_packaged_graphs
from tests.helpers.paths import CHECKPOINT
from training.engine.checkpoint import load_checkpoint
from training.evaluation.clip_steps import ClipSteps
from training.evaluation.crossval import evaluated
from training.evaluation.risk_coverage import RULE

LABELS = ("angry", "fear", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def crossval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation of two corpora, as made-up steps give it."""
    rng = np.random.default_rng(3)
    folds: list[list[ClipSteps]] = [[], []]
    for i in range(120):
        truth = i % 5
        logits = rng.normal(0, 1, (4, 5))
        logits[:, truth] += 1.2
        corpus, language = (("emodb", "German"), ("other", "English"))[i % 2]
        clip = ClipSteps(
            f"{corpus}/{i}",
            f"s{i % 12}",
            truth,
            [1, 5, 11, 25],
            logits.tolist(),
            corpus,
            ("female", "male")[i // 2 % 2],
            language,
        )
        folds[i // 60].append(clip)
    folder = tmp_path_factory.mktemp("crossval")
    content = {
        "protocol": "two folds of made-up steps",
        "config": load_checkpoint(CHECKPOINT)["config"],
        "revisions": ["abc"],
        "folds": [["emodb/s0"], ["emodb/s1"]],
        **evaluated(folds, LABELS, folder / "curve.png"),
    }
    path = folder / "crossval.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def made(
    crossval: Path,
    two_clips: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Export:
    """The bundle of the package's checkpoint with that cross-validation."""
    folder = tmp_path_factory.mktemp("b") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        use_packaged_graphs(patch)
        return export_bundle(CHECKPOINT, folder, two_clips, crossval, "mine")


def unseen_of(manifest: dict[str, Any], crossval: Path) -> dict[str, Any]:
    """A zero-shot result, with the figures of the cross-validation."""
    metrics = json.loads(crossval.read_text())["metrics"]
    names = ("encoder.onnx", "head.onnx")
    row = {
        "UAR": 41.0,
        "UAR_interval": [30.0, 50.0],
        "lead": 9.3,
        "lead_interval": None,
    }
    return {
        "model": {
            "graphs": {name: manifest["files"][name] for name in names},
            "temperatures": manifest["temperatures"],
            "clip_temperature": manifest["clip_temperature"],
            "uncertain": manifest["thresholds"]["uncertain"],
        },
        "protocol": "never heard",
        "revision": "abc",
        "corpora": {
            "savee": {
                **metrics,
                "speakers": {"DC": {"UAR": 33.3}},
                "dropped": {"disgust": 60},
                "svm": {"source-scale": row},
            }
        },
    }


def test_calibration_and_threshold_of_the_folds_go_into_the_manifest(
    made: Export, crossval: Path
) -> None:
    found = json.loads(crossval.read_text())
    bundle = made.bundle
    assert list(bundle.temperatures) == found["temperatures"]
    assert bundle.clip_temperature == found["clip_temperature"] != 1.0
    assert bundle.thresholds.uncertain == found["thresholds"]["uncertain"]
    assert bundle.thresholds.enter == SmoothingConfig().enter
    assert read_evidence(bundle)["thresholds_chosen_by"] == {"uncertain": RULE}
    assert read_evidence(bundle)["metrics"]["folds"] == [["emodb/s0"], ["emodb/s1"]]


def test_the_card_tells_groups_calibration_abstention_and_what_not_to_do(
    made: Export,
) -> None:
    card = (made.bundle.folder / "card.md").read_text()
    metrics = read_evidence(made.bundle)["metrics"]
    for group in ("corpus other", "sex female", "sex male", "English", "German"):
        assert f"\n| {group} | 60 |" in card
    low, high = metrics["corpora"]["other"]["UAR_interval"]
    assert f"{metrics['corpora']['other']['UAR']} ({low} to {high})" in card
    for point in metrics["risk_coverage"]["points"]:
        row = (point["threshold"], point["coverage"], point["error"])
        assert "| " + " | ".join(map(str, row)) + " |" in card
    assert f"under {made.bundle.thresholds.uncertain} is `uncertain`" in card
    for words in (
        "5(1)(f)",
        "Article 50(3)",
        "Children",
        "Lies",
        "Medicine",
    ):
        assert words in card
    # Nothing was measured on other corpora or streams, and so nothing is said.
    assert "never heard: not measured" in card
    assert "As a stream" not in card
    assert "None" not in card


def test_what_was_measured_of_these_graphs_is_told(
    made: Export,
    crossval: Path,
    two_clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = made.bundle.manifest
    unseen, stream = tmp_path / "unseen.json", tmp_path / "stream.json"
    unseen.write_text(json.dumps(unseen_of(manifest, crossval)))
    changes = {
        "changes": 40,
        "median_delay_s": 1.31,
        "missed_share": 0.2,
        "coverage": 0.735,
        "flips_per_minute": 1.5,
        "flips_per_minute_interval": [1.0, None],
    }
    result = {
        "protocol": {"thresholds": manifest["thresholds"], "seed": 98},
        "groups": {"savee": {"clips": 3, "speakers": ["DC"], "changes": changes}},
        "false-alarms": {
            "hours": 3.0,
            "alarms": 2,
            "per_hour": 0.667,
            "upper_bound_per_hour": 2.1,
        },
    }
    stream.write_text(json.dumps(result))
    use_packaged_graphs(monkeypatch)
    told = export_bundle(
        CHECKPOINT,
        tmp_path / "told",
        two_clips,
        crossval,
        "mine",
        unseen=unseen,
        stream_eval=stream,
    )
    card = (told.bundle.folder / "card.md").read_text()
    assert "UAR by speaker: DC 33.3. Dropped: 60 disgust." in card
    assert "41.0 (30.0 to 50.0) (source-scale)" in card
    assert (
        "| savee, speakers: 1 | - | 1.31 s | 20 % | 74 % | - | 1.50 (1.00 to ?)" in card
    )
    assert "2 in 3.00 h without a voice, 0.67 an hour, at most 2.10" in card
    assert read_evidence(told.bundle)["training"]["commands"][-1] == (
        "python -m export RECENTRED DIR --crossval CROSSVAL.json "
        "--unseen UNSEEN.json --stream-eval STREAM-EVAL.json"
    )


def test_a_card_marks_a_corpus_that_the_model_was_fitted_to(
    made: Export, crossval: Path
) -> None:
    manifest, evidence = made.bundle.manifest, read_evidence(made.bundle)
    # The mean of unknown voices was measured on RAVDESS, calibration on `other`.
    savee = unseen_of(manifest, crossval)["corpora"]["savee"]
    rows = {"savee": savee, "ravdess": savee, "other": savee}
    evidence["unseen"] = {"protocol": "", "corpora": rows}
    card = render_card(manifest, evidence)
    ece = savee["steps"]["ECE"]
    assert f"of a step: savee {ece}, ravdess ‡ {ece}, other ‡ {ece} (‡ not tr" in card
    assert "‡ No weight was trained on ravdess and other, but calibration" in card
    for row in ("savee", "ravdess ‡", "other ‡"):
        assert f"\n| {row} | 120 |" in card
    evidence["unseen"]["corpora"] = {"savee": savee}
    assert "‡" not in render_card(manifest, evidence)


@pytest.mark.parametrize("name", ["open", "accurate", "research"])
def test_a_packaged_card_is_what_its_evidence_says(name: str) -> None:
    bundle = load_bundle(name)
    card = (bundle.folder / "card.md").read_text(encoding="utf-8")
    assert card == render_card(bundle.manifest, read_evidence(bundle))


def test_a_new_card_leaves_the_model_as_it_is(
    made: Export, crossval: Path, tmp_path: Path
) -> None:
    folder, unseen = tmp_path / "mine", tmp_path / "unseen.json"
    shutil.copytree(made.bundle.folder, folder)
    unseen.write_text(json.dumps(unseen_of(made.bundle.manifest, crossval)))
    given = {"crossval": crossval, "unseen": unseen, "stream_eval": None}
    renewed = renew_card(folder, given)
    assert renewed.sha256 == made.bundle.sha256
    for name in ("manifest.json", "encoder.onnx", "head.onnx"):
        kept = (made.bundle.folder / name).read_bytes()
        assert (folder / name).read_bytes() == kept
    card = (folder / "card.md").read_text()
    assert "UAR by speaker: DC 33.3. Dropped: 60 disgust." in card
    command = "python -m export card DIR --crossval CROSSVAL.json --unseen UNSEEN.json"
    assert command in card
    evidence = read_evidence(renewed)
    assert evidence["metrics"] == read_evidence(made.bundle)["metrics"]
    # Written once more without anything new, it is the same card.
    renew_card(folder, dict.fromkeys(given))
    assert (folder / "card.md").read_text() == card


def test_a_card_of_another_model_is_refused(made: Export, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(made.bundle.folder, folder)
    changed = made.bundle.manifest | {"clip_temperature": 3.0}
    (folder / "manifest.json").write_text(json.dumps(sealed(changed)))
    nothing = dict.fromkeys(("crossval", "unseen", "stream_eval"))
    with pytest.raises(ModelError, match=r"no evidence.json that says how this model"):
        renew_card(folder, nothing)


def test_a_crossvalidation_that_calibrated_another_bundle_is_refused(
    made: Export, crossval: Path, tmp_path: Path
) -> None:
    other = tmp_path / "crossval.json"
    content = json.loads(crossval.read_text()) | {"clip_temperature": 0.1}
    other.write_text(json.dumps(content))
    given = {"crossval": other, "unseen": None, "stream_eval": None}
    with pytest.raises(ModelError, match="another model: it differs in clip_temp"):
        renew_card(made.bundle.folder, given)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["graphs"].update({"head.onnx": "0"}), "differs in graphs"),
        (lambda m: m.update(uncertain=0.9), "differs in uncertain"),
        (lambda m: m.pop("temperatures"), "differs in temperatures"),
    ],
)
def test_what_was_measured_of_another_model_is_refused(
    made: Export,
    crossval: Path,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    reason: str,
) -> None:
    content = unseen_of(made.bundle.manifest, crossval)
    change(content["model"])
    path = tmp_path / "unseen.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=reason):
        read_unseen(path, made.bundle.manifest)


def test_streams_of_other_thresholds_are_refused(made: Export, tmp_path: Path) -> None:
    path = tmp_path / "stream.json"
    thresholds = {**made.bundle.manifest["thresholds"], "lead": 9.0}
    path.write_text(json.dumps({"protocol": {"thresholds": thresholds}, "groups": {}}))
    with pytest.raises(ModelError, match="another model: it differs in thresholds"):
        read_stream_eval(path, made.bundle.manifest)
    path.write_text("[]")
    with pytest.raises(ModelError, match="`python -m training stream-eval` writes one"):
        read_stream_eval(path, made.bundle.manifest)


def test_thresholds_of_a_search_win_and_say_where_they_are_from(
    tmp_path: Path,
) -> None:
    path = tmp_path / "found.json"
    by_folds = {"thresholds": {"uncertain": 0.51}}
    path.write_text(json.dumps({"thresholds": {"lead": 0.8}, "protocol": "grid"}))
    values, why = choose_thresholds(path, by_folds)
    assert (values["uncertain"], values["lead"]) == (0.51, 0.8)
    assert why == {"uncertain": RULE, "lead": "grid"}
    path.write_text(json.dumps({"uncertain": 0.3}))
    values, why = choose_thresholds(path, by_folds)
    assert (values["uncertain"], why["uncertain"]) == (0.3, "given in found.json")
    path.write_text(json.dumps({"enter": 0.2, "exit": 0.35}))
    with pytest.raises(ModelError, match=r"exit \(0.35\) must not be above enter"):
        choose_thresholds(path, by_folds)
    path.write_text(json.dumps({"entre": 0.2}))
    with pytest.raises(ModelError, match="'entre' is no threshold; allowed: uncertain"):
        choose_thresholds(path, None)


def test_open_is_a_name_for_corpora_that_allow_any_use() -> None:
    check_name("open", ["emodb", "crema-d"])
    check_name("research", ["emodb", "ravdess"])
    check_name("open", ["emodb", "crema-d", "picovoice-neutral"])
    for corpus in ("ravdess", "savee", "emotale", "indian-emo-speech", "mine"):
        with pytest.raises(ModelError, match=f"any use, and {corpus} does not"):
            check_name("open", ["emodb", corpus])


def test_a_licence_is_that_of_the_strictest_corpus() -> None:
    assert bundle_licence(["emodb", "crema-d"]) == "MIT"
    assert bundle_licence(["emodb", "ravdess", "crema-d"]) == (
        "non-commercial: trained on RAVDESS (CC BY-NC-SA 4.0)"
    )
    assert bundle_licence(["ravdess", "emotale"]) == (
        "research only: trained on RAVDESS (CC BY-NC-SA 4.0), EmoTale (none given; "
        "research invited)"
    )
    for unknown in ("mine", "savee", "casia"):
        assert bundle_licence(["emotale", unknown]).startswith(
            "unknown, do not pass on"
        )


def test_a_card_names_the_terms_of_every_corpus(made: Export) -> None:
    manifest = dict(made.bundle.manifest)
    names = ["emodb", "ravdess", "crema-d"]
    manifest["corpora"] = [
        {**describe(name), "classes": list(LABELS if name != "crema-d" else LABELS[2:])}
        for name in names
    ]
    manifest["licence"] = bundle_licence(names)
    card = render_card(manifest, read_evidence(made.bundle))
    assert "**Not for commercial use**: RAVDESS does not allow it" in card
    assert "Contains information from CREMA-D" in card
    assert "10.1109/TAFFC.2014.2336244" in card
    assert "10.1371/journal.pone.0196391" in card
    assert "CREMA-D had a say about the classes named beside it alone" in card
    assert "Acted emotions, all of them." in card


def test_a_card_says_nothing_of_corpora_that_nobody_knows(made: Export) -> None:
    manifest, evidence = dict(made.bundle.manifest), read_evidence(made.bundle)

    def card_of(*names: str) -> str:
        corpora = [{**describe(name), "classes": list(LABELS)} for name in names]
        return " ".join(render_card({**manifest, "corpora": corpora}, evidence).split())

    card = card_of("mine", "yours")
    assert "Whether the emotions of mine and yours are acted is not known." in card
    assert "Who speaks in mine and yours, how, in which languages and rooms, is" in card
    for untrue in ("Acted emotions", "adult actors", "none was heard", "quiet rooms"):
        assert untrue not in card
    card = card_of("emodb", "mine")
    assert "Acted emotions, but for mine, of which that is not known." in card
    assert "in German, in quiet rooms, and on mine, of which nothing is known" in card
    assert "**Children**: whether one was heard in mine is not known" in card
    card = card_of("emodb")
    for true in ("Acted emotions, all of them.", "in quiet rooms. Other", "none was"):
        assert true in card


def test_a_card_counts_the_speakers_of_tables_in_folders(made: Export) -> None:
    manifest, evidence = dict(made.bundle.manifest), read_evidence(made.bundle)
    names = ["mine", "mine/tab.csv", "/data/other.csv"]
    manifest["corpora"] = [{**describe(n), "classes": list(LABELS)} for n in names]
    people = ["mine/A", "mine/tab.csv/A", "mine/tab.csv/B", "/data/other.csv/unnamed"]
    evidence["training"] = {**evidence["training"], "speakers": people}
    card = render_card(manifest, evidence)
    for row in ("mine | unknown | 1 |", "csv | unknown | 2 |", "unknown | unnamed |"):
        assert row in card


def test_a_card_says_who_is_not_named_and_did_not_act(made: Export) -> None:
    manifest, evidence = dict(made.bundle.manifest), read_evidence(made.bundle)
    manifest["corpora"] = [
        {**describe("emotale"), "classes": list(LABELS)},
        {**describe("picovoice-neutral"), "classes": ["neutral"]},
    ]
    people = ["emotale/A", "emotale/B", "emotale/unnamed"]
    people.append("picovoice-neutral/unnamed")
    evidence["training"] = {**evidence["training"], "speakers": people}
    card = render_card(manifest, evidence)
    assert (
        "| EmoTale | Danish, English | 2 and unnamed | none given; research invited |"
        in card
    )
    assert "recordings | English | unnamed | Apache-2.0 | neutral |" in card
    assert "save Picovoice wake-word recordings: nobody acted there" in card
    assert "Danish and English, in quiet rooms" in card
