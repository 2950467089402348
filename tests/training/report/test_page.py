"""The results page: numbers from a tree of made-up results, all of them checked."""

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import audmetric
import numpy as np
import pytest
from PIL import Image

from ser_stream.errors import SourceError
from tests.helpers.paths import ROOT
from training.evaluation.bootstrap import N_BOOTSTRAP
from training.paper.reproduce.constants import (
    CUT_ENDS,
    READINGS,
    TRAINED_AS_PUBLISHED,
)
from training.paper.reproduce.tables import ABLATIONS, SIX_PAIRS
from training.report.cells import N_FOLDS, Cells
from training.report.load import Scored, load_runs
from training.report.page import build
from training.report.published import RERUN, Published
from training.report.score_figures import percent_matrix
from training.report.significance import counts_of, gain
from training.report.wording import SYSTEMS

PROTOCOLS = ROOT / "training/protocols"
PUBLISHED = PROTOCOLS / "paper_tables.csv"
LABELS = ["angry", "sad"]
TRUTH = [0, 0, 1, 1]
SPEAKERS = ["03", "03", "08", "08"]
PSI_WIDTH, N_MFCC = 64, 39


def metrics(
    truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]
) -> dict[str, Any]:
    """What the runner stores of a selection."""
    indices = list(range(len(labels)))
    recall = audmetric.recall_per_class(truth, predicted, indices)
    f1 = audmetric.unweighted_average_fscore(truth, predicted, indices)
    return {
        "epoch": 3,
        "WAR": 100 * audmetric.accuracy(truth, predicted),
        "UAR": 100 * audmetric.unweighted_average_recall(truth, predicted, indices),
        "macro_F1": 100 * f1,
        "recall": {labels[i]: 100 * value for i, value in recall.items()},
        "confusion_matrix": audmetric.confusion_matrix(truth, predicted, indices),
        "predicted": list(predicted),
    }


def write(results: Path, where: str, seed: int = 98, **changed: Any) -> Path:
    """A result as the runner writes it: `where` is PROTOCOL/SYSTEM/PLACE/FOLD.

    Args:
        results: the tree.
        where: what it is of.
        seed: of the training.
        changed: `predicted` by selection, and any other key of the file; no epochs
            where they are 0, as of a support vector machine.
    """
    protocol, system, place, fold = where.split("/")
    truth = changed.pop("truth", TRUTH)
    labels = changed.pop("labels", LABELS)
    validated = "-validated" if changed.pop("second_training", False) else ""
    selections = changed.pop("predicted", {"last": truth})
    stored = {
        "schema": 1,
        "protocol": protocol,
        "system": system,
        "place": place,
        "fold": fold,
        "seed": seed,
        "labels": labels,
        "config": {},
        "revision": "8c1d2cc",
        "versions": {"python": "3.11"},
        "device": "cpu",
        "seconds": 1800,
        "epochs": 60,
        "source_network": "3f9a",
        "n": {"train": 9, "test": len(truth)},
        "selections": {
            name: metrics(truth, predicted, labels)
            for name, predicted in selections.items()
        },
        "clips": [f"{place}/{fold}-{i}.flac" for i in range(len(truth))],
        "speakers": changed.pop("speakers", SPEAKERS),
        "truth": truth,
        "curve": [{"epoch": e, "loss": 1 / e, "test_WAR": 50.0} for e in (1, 2, 3)],
        **changed,
    }
    if not stored["epochs"]:
        del stored["epochs"]
    path = results / protocol / system / place / f"{fold}-seed-{seed}{validated}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stored), encoding="utf-8")
    return path


def page(results: Path, figures: bool = False) -> str:
    """The markdown of a tree, beside it; figures take the longest, and often none."""
    out = results.parent / "docs/results.md"
    with pytest.MonkeyPatch.context() as patch:
        if not figures:
            patch.setattr("training.report.page.draw_all", lambda *_: [])
        build(results, out, PUBLISHED)
    return out.read_text(encoding="utf-8")


def numbers(results: Path) -> Any:
    """The JSON that `page` wrote."""
    text = (results.parent / "docs/results.json").read_text(encoding="utf-8")
    return json.loads(text)


def row(text: str, *starts: str, after: str = "") -> list[str]:
    """Cells of the first table row that begins so."""
    start = "| " + " | ".join(starts) + " |"
    line = next(
        x for x in text[text.index(after) :].splitlines() if x.startswith(start)
    )
    return [cell.strip() for cell in line.strip("|").split("|")]


def no_figure(name: str) -> str:
    """What the page has of a figure that was not run."""
    command = "python -m training reproduce 1 --system cpac-published-features"
    return f"### Figure {name}\n\n`{command}`, then `report`\n\n*not run*"


def scored(
    truth: Sequence[int],
    predicted: Sequence[int],
    speakers: Sequence[str],
    labels: Sequence[str] = LABELS,
) -> Scored:
    """A fold that was scored."""
    clips = tuple(f"{i}.flac" for i in range(len(truth)))
    return Scored(
        1,
        {},
        {},
        tuple(labels),
        clips,
        tuple(speakers),
        tuple(truth),
        tuple(predicted),
    )


def test_without_results_all_is_not_run(tmp_path: Path) -> None:
    said = build(tmp_path / "results", tmp_path / "docs/results.md", PUBLISHED)
    text = (tmp_path / "docs/results.md").read_text(encoding="utf-8")
    assert "0 finished folds" in said[0]
    assert row(text, "EMODB", "CPAC, as published code", after="### Table 1")[2:] == [
        "94.97",
        "86.15",
        *["*not run*"] * 4,
    ]
    assert no_figure("S1: confusion matrices") in text
    assert not list((tmp_path / "docs").rglob("*.png"))
    assert numbers(tmp_path / "results")["cells"] == []


def test_every_table_of_the_paper_is_there_and_no_cell_is_blank(tmp_path: Path) -> None:
    text = page(tmp_path / "results")
    for name in ("1", "2", "3", "4", "S3", "S4", "S5"):
        assert f"### Table {name}:" in text
        assert f"`python -m training reproduce {name} --protocol" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 200
    assert not [line for line in rows if re.search(r"\|\s*\|", line)]
    # Each of the paper's numbers, in the table that it is of.
    for (name, _, _, _), value in Published.read(PUBLISHED).values.items():
        if not name.startswith("EmoBox"):
            section = "Table 1" if name == RERUN else f"Table {name}"
            assert f"{value:.2f}" in text[text.index(f"### {section}:") :]


def test_what_is_not_planned_is_not_told_as_missing(tmp_path: Path) -> None:
    results = tmp_path / "results"
    text = page(results)
    written = "| SAVEE | CPAC, as written |"
    assert written not in text
    ablation = row(text, "EMODB", "Algorithm 2", after="### Table 3")
    assert ablation[4:] == ["*not run*", "*not run*", "not planned", "*not run*"]
    adapted = row(text, "CASIA to EMODB", "CAAM", after="### Table 2")
    assert adapted[3:] == ["*not run*"] * 4
    # What is there is shown, whether it is needed or not.
    where = "paper-10fold/cpac-as-written/savee/fold-1"
    write(results, where, predicted={"last": TRUTH})
    reading = row(page(results), "SAVEE", "CPAC, as written", after="### Table 1")
    assert reading[4] == reading[6] == "not planned"
    assert reading[5].startswith("100.00")


def test_every_link_of_the_contents_has_its_place(tmp_path: Path) -> None:
    text = page(tmp_path / "results", figures=True)
    contents = text[text.index("## Contents") : text.index("## The paper's tables")]
    links = re.findall(r"\]\(#([^)]+)\)", contents)
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    anchors = set(re.findall(r'<a id="([^"]+)">', text)) | headings
    assert len(links) > 15
    assert set(links) <= anchors


def test_ours_stands_beside_the_papers_number(tmp_path: Path) -> None:
    results = tmp_path / "results"
    where = "paper-10fold/cpac-as-published-code/emodb/fold-{}"
    for k in range(1, 11):
        # Accuracy of fold 1 to 9: oracle 100, last 75; of fold 10: oracle 50, last 25.
        oracle, last = (TRUTH, [0, 0, 1, 0]) if k < 10 else ([1, 1, 1, 1], [1, 1, 1, 0])
        write(results, where.format(k), predicted={"oracle": oracle, "last": last})
    cells = row(page(results), "EMODB", "CPAC, as published code")
    assert cells[2:4] == ["94.97", "86.15"]
    assert cells[4].startswith("95.00 (")
    assert cells[5].startswith("70.00 (")
    assert cells[6:] == ["*not run*", "1 seed, 60 epochs"]
    ours = numbers(results)["tables"]["1"]
    found = next(
        r for r in ours if (r["place"], r["metric"]) == ("emodb", "WAR") and r["ours"]
    )
    assert found["paper"] == 94.97
    assert found["ours"]["oracle"]["mean"] == 95.0
    assert "validated" not in found["ours"]


def test_the_validated_training_is_merged_with_the_other(tmp_path: Path) -> None:
    results = tmp_path / "results"
    where = "paper-10fold/cpac-as-written/casia/fold-{}"
    for k in range(1, 11):
        write(results, where.format(k), predicted={"last": TRUTH})
        write(
            results,
            where.format(k),
            second_training=True,
            epochs=40,
            # A second training has a last epoch too; it is not the `last` of the page.
            predicted={"validated": [0, 1, 1, 1], "last": [1, 1, 0, 0]},
        )
    runs = load_runs(results)
    assert len(runs) == 10
    assert [set(run.selections) for run in runs] == [{"last", "validated"}] * 10
    assert [run.fold for run in runs] == [f"fold-{k}" for k in range(1, 11)]
    assert {run.seconds for run in runs} == {3600.0}
    cells = row(page(results), "CASIA", "CPAC, as written")
    assert cells[4] == "not planned"
    assert cells[5].startswith("100.00 (")
    assert cells[6].startswith("75.00 (")
    assert cells[7] == "last: 1 seed, 60 epochs; validated: 1 seed, 40 epochs"


def test_a_cell_says_how_many_folds_it_rests_on(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for k in (1, 2, 10):
        write(results, f"paper-10fold/algorithm-2/savee/fold-{k}")
    text = page(results)
    cells = row(text, "SAVEE", "Algorithm 2", after="### Table 3")
    assert cells[5] == "100.00 (100.0 to 100.0)†; 3 of 10 folds"


def test_seeds_are_pooled_but_not_half_a_seed_with_a_whole_one(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for k in range(1, 11):
        for seed, predicted in ((98, TRUTH), (99, [0, 1, 1, 1])):
            where = f"paper-10fold/algorithm-1/emodb/fold-{k}"
            write(results, where, seed, predicted={"last": predicted})
    write(
        results,
        "paper-10fold/algorithm-1/emodb/fold-1",
        7,
        predicted={"last": [1, 1, 0, 0]},
    )
    cell = Cells(load_runs(results)).cell(
        "paper-10fold", "algorithm-1", "emodb", "last"
    )
    assert cell is not None
    assert cell.extent()["seeds"] == [98, 99]
    assert cell.mean("WAR") == pytest.approx(87.5)
    assert cell.complete


def test_the_interval_is_that_of_drawing_speakers_clip_by_clip() -> None:
    rng = np.random.default_rng(5)
    truth, predicted = rng.integers(3, size=(2, 400)).tolist()
    speakers = [f"s{i}" for i in rng.integers(7, size=400)]
    t, p, rng = np.array(truth), np.array(predicted), np.random.default_rng(0)
    rows = [np.flatnonzero(np.array(speakers) == s) for s in sorted(set(speakers))]
    draws = []
    for _ in range(N_BOOTSTRAP):
        drawn = np.concatenate([rows[i] for i in rng.integers(7, size=7)])
        recalls = [np.mean(p[drawn][t[drawn] == c] == c) for c in range(3)]
        draws.append(100 * np.mean(recalls))
    folds = [scored(truth, predicted, speakers, ["a", "b", "c"])]
    found = counts_of(folds).interval("UAR")
    assert found is not None
    assert (found.low, found.high) == pytest.approx(np.percentile(draws, [2.5, 97.5]))


def test_pooled_metrics_are_those_of_audmetric() -> None:
    rng = np.random.default_rng(6)
    truth, predicted = rng.integers(3, size=(2, 90)).tolist()
    speakers = [f"s{i % 4}" for i in range(90)]
    folds = [
        scored(
            truth[i : i + 30],
            predicted[i : i + 30],
            speakers[i : i + 30],
            ["a", "b", "c"],
        )
        for i in (0, 30, 60)
    ]
    counts = counts_of(folds)
    uar = audmetric.unweighted_average_recall(truth, predicted)
    assert counts.value("UAR") == pytest.approx(100 * uar)
    assert counts.value("WAR") == pytest.approx(
        100 * audmetric.accuracy(truth, predicted)
    )


def test_a_class_that_was_never_said_has_no_recall() -> None:
    counts = counts_of([scored([0, 0, 2], [0, 1, 2], ["x", "y", "y"], ["a", "b", "c"])])
    assert counts.value("UAR") == pytest.approx(75.0)


def test_the_paired_interval_of_two_speakers_is_known() -> None:
    # Both say each class twice. Of x the first system has all right, the base half; of
    # y both have half: the gain is 50 or 0 or, of both together, 25 points. A draw of
    # two takes x twice in a quarter of all, so 2.5 % and 97.5 % are 0 and 50.
    truth = [0, 0, 1, 1] * 2
    speakers = ["x"] * 4 + ["y"] * 4
    base = [0, 1, 1, 0] * 2
    better = [0, 0, 1, 1, 0, 1, 1, 0]
    found = gain(
        [scored(truth, better, speakers)],
        [scored(truth, base, speakers)],
        "UAR",
        n_expected=1,
    )
    assert found.points == pytest.approx(25.0)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0, 50.0))
    assert found.interval.crude
    drawn = {round(float(x)) for x in found.draws}
    assert drawn == {0, 25, 50}


def test_a_gain_needs_the_same_clips() -> None:
    first = scored([0, 1], [0, 1], ["x", "y"])
    other = scored([0, 1, 1], [0, 1, 1], ["x", "y", "y"])
    with pytest.raises(ValueError, match="same clips"):
        gain([first], [other], "UAR", n_expected=1)


def test_gains_and_means_over_the_two_pairs(tmp_path: Path) -> None:
    results = tmp_path / "results"
    half = [0, 1, 1, 0]
    for place, predicted in (("casia-emodb", TRUTH), ("emodb-casia", [0, 0, 1, 0])):
        for seed in (1, 2):
            chosen = {"oracle": predicted, "validated": half}
            distances = {
                "before": {"angry": 10.0 * seed, "mean": 100.0 * seed},
                "after": {"angry": 1.0, "mean": 2.0},
            }
            where = f"cross/{{}}/{place}/transductive"
            write(
                results,
                where.format("caam"),
                seed,
                predicted=chosen,
                distances=distances,
            )
            # A seed that CAAM has not does not count in the gain.
        for seed in (2, 3):
            chosen = {"oracle": half, "validated": half}
            write(results, where.format("algorithm-4"), seed, predicted=chosen)
    write(results, "cross/caam/casia-emodb/inductive-1", 1, predicted={"last": TRUTH})
    text = page(results)
    gains = row(text, "CASIA to EMODB", "CAAM", "transductive")
    assert gains[3] == "+50.00 (+50.0 to +50.0)†"
    assert gains[4] == "*not run*"
    assert gains[5] == "+0.00 (+0.0 to +0.0)†"
    mean = row(text, "mean of CASIA to EMODB and back", "CAAM", "transductive")
    assert mean[3].startswith("+37.50 (")
    short = row(
        text, "CASIA to EMODB and back, transductive, mean UAR of CAAM", "oracle"
    )
    assert short[2] == "47.09"
    assert short[3].startswith("87.50 (")
    both = row(text, "CASIA to EMODB", "CAAM", after="### Clips adapted to")
    assert both[2].startswith("100.00 (")
    assert both[6] == "100.00 (100.0 to 100.0)†; 1 of 2 folds"
    # Distances: seeds 1 and 2, beside what the caption of Fig. S4 says.
    assert row(text, "CASIA to EMODB", "angry")[2:4] == ["15.00", "1.00"]
    assert row(text, "CASIA to EMODB", "mean")[2:] == [
        "150.00",
        "2.00",
        "2286.44",
        "19.87",
    ]
    assert row(text, "SAVEE to CASIA", "mean")[2:] == [
        *["*not run*"] * 2,
        *["none published"] * 2,
    ]
    assert numbers(results)["gains"][0]["points"] == 50.0
    assert numbers(results)["means"][0]["system"] == "algorithm-4"


def test_a_gain_that_may_be_of_another_source_network_is_marked(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for place, networks in (("casia-emodb", ("a", "b")), ("emodb-casia", ("", ""))):
        for system, network in zip(("caam", "algorithm-4"), networks, strict=True):
            where = f"cross/{system}/{place}/transductive"
            write(results, where, source_network=network, predicted={"last": TRUTH})
    write(results, "cross/dann/casia-emodb/transductive", source_network="b")
    fit = "cross/nmftsl/casia-emodb/transductive"
    write(results, fit, epochs=0, predicted={"last": TRUTH})
    text = page(results)
    for place, system, mark in (
        ("CASIA to EMODB", "CAAM", "‡"),
        ("EMODB to CASIA", "CAAM", "‡"),
        ("CASIA to EMODB", "DANN", ""),
        ("CASIA to EMODB", "NMFTSL", ""),
    ):
        found = row(text, place, system, "transductive", after="### Gain over Alg")[4]
        assert found.endswith(f"†{mark}")
    gains = numbers(results)["gains"]
    assert {(g["system"], g["one_source_network"]) for g in gains} == {
        ("caam", False),
        ("dann", True),
        ("dann", False),  # beside CAAM
        ("nmftsl", True),
    }


def test_emobox_stands_beside_published_figures_and_opensmile(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for k in range(1, 5):
        write(
            results,
            f"emobox/cpac-as-written/casia/fold-{k}",
            predicted={"last": [0, 1, 1, 1]},
        )
        write(results, f"emobox/compare-svm/casia/fold-{k}", epochs=0)
    write(results, "emobox/mine/casia/fold-1")
    text = page(results)
    assert row(text, "CPAC, as written (ours)")[1].startswith("75.00 (")
    assert row(text, "CPAC, as written (ours)")[2] == "*not run*"
    assert row(text, "openSMILE ComParE 2016 + SVM (ours)")[1].startswith("100.00 (")
    assert row(text, "openSMILE eGeMAPS + SVM (ours)")[1:] == ["*not run*"] * 4
    assert row(text, "mine (ours)")[1].endswith("; 1 of 4 folds")
    assert row(text, "WavLM large, frozen (EmoBox Table 4)")[1:] == [
        "52.12",
        "92.58",
        "66.74",
        "72.00",
    ]
    # All of ours: UAR, WAR, macro F1 of 0/1/1/1 against 0/0/1/1.
    detail = row(text, "CASIA", "CPAC, as written", after="## EmoBox folds")
    assert detail[4] == "73.33"
    assert row(text, "CASIA", "openSMILE ComParE 2016 + SVM")[5] == "1 seed, one fit"


def test_a_single_fit_has_no_selection(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for k in range(1, 11):
        write(results, f"paper-10fold/compare-svm/emodb/fold-{k}", epochs=0)
    cells = row(
        page(results), "EMODB", "openSMILE ComParE 2016 + SVM", after="### Table 1"
    )
    assert cells[2:5] == ["none published", "none published", "one fit"]
    assert cells[6:] == ["one fit", "1 seed, one fit"]


def test_what_is_missing_is_counted_with_the_hours_that_it_needs(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    nothing = page(results)
    assert row(nothing, "1", "CPAC, as written", after="## What is missing")[2:] == [
        *("3 of 3", "EMODB 3", "nothing to go by")
    ]
    where = "paper-10fold/cpac-as-published-code/emodb/fold-1"
    write(results, where, seconds=535)
    write(results, "cross/caam/casia-emodb/inductive-2", seconds=3600)
    text = page(results)
    cells = row(text, "1", "CPAC, as published code", after="## What is missing")
    assert cells[2:4] == ["29 of 30", "EMODB 19, CASIA 10"]
    # A second a clip in 60 epochs: 535 of EMODB; 1200 of CASIA have 30.
    assert float(cells[4]) == pytest.approx((19 * 535 + 10 * 600) / 3600, abs=0.05)
    # Of its kin, where it was not run; and what Table 1 lists is not in 3 again.
    published = row(text, "1", SYSTEMS[READINGS[0]], after="## What is missing")
    assert published[3] == "EMODB 20, SAVEE 20, CASIA 10, RAVDESS 10"
    ablation = row(text, "3", SYSTEMS[ABLATIONS[1]], after="## What is missing")
    # 1440 clips of RAVDESS have 120 epochs.
    hours = (10 * (535 + 480) + 5 * (1200 + 2 * 1440)) / 3600
    assert float(ablation[4]) == pytest.approx(hours, abs=0.05)
    assert "| 3 | CPAC" not in text
    assert row(text, "2", "CAAM", after="## What is missing")[2:] == [
        "17 of 18",
        "CASIA to EMODB 2, EMODB to CASIA 3, CASIA to SAVEE 3, EMODB to SAVEE 3, "
        "SAVEE to CASIA 3, SAVEE to EMODB 3",
        "17.0",
    ]
    assert sum(one["places"].get("emodb", 0) for one in numbers(results)["missing"])


def test_stand_ins_stand_beside_what_the_paper_quotes(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write(
        results,
        "paper-10fold/cnn/emodb/fold-1",
        predicted={"oracle": TRUTH, "last": [0, 1, 1, 1]},
    )
    text = page(results)
    ours = row(text, "EMODB", "CNN on log-mel, our baseline", after="### Table 1")
    assert ours[2:4] == ["none published", "none published"]
    assert ours[4].startswith("100.00 (")
    quoted = row(text, "EMODB", "CNN (Ilyas 2021)")
    assert quoted[2:4] == ["91.32", "CNN on log-mel, our baseline"]
    assert quoted[4].startswith("100.00 (")
    assert quoted[5].startswith("75.00 (")
    assert row(text, "RAVDESS", "ESN (Ibrahim 2021)")[2:] == [
        *("74.54", "echo state network on MFCC, our baseline"),
        *["*not run*"] * 2,
    ]


def test_a_gain_is_told_over_batch_statistics_of_both_corpora_too(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    for system, predicted in (
        ("caam", TRUTH),
        ("algorithm-4-both-statistics", [0, 0, 1, 0]),
        ("algorithm-4", [0, 1, 1, 0]),
        ("algorithm-4-source-levels", [1, 1, 1, 0]),
    ):
        for place in SIX_PAIRS:
            where = f"cross/{system}/{place}/transductive"
            write(results, where, predicted={"last": predicted})
    text = page(results)
    both = "Algorithm 4, batch norm on both corpora"
    assert row(text, "CASIA to EMODB", both, after="### Table 4")[4].startswith("75.00")
    total, own = (
        row(text, "CASIA to EMODB", "CAAM", "transductive", after=after)[4]
        for after in (
            "### Gain over Algorithm 4, which",
            "### Gain over Algorithm 4 with batch",
        )
    )
    after = "### Gain over Algorithm 4 with source"
    levels = row(text, "CASIA to EMODB", "Algorithm 4", "transductive", after=after)
    assert levels[4].startswith("+25.00 (")
    assert total.startswith("+50.00 (")
    assert own.startswith("+25.00 (")
    assert row(text, "CASIA to EMODB", both, "transductive")[4].startswith("+25.00 (")
    gains = numbers(results)["gains"]
    found = [g["points"] for g in gains if g["system"] == "caam"]
    # Six pairs and two means of some.
    assert found == [50.0] * 8 + [25.0] * 8 + [75.0] * 8
    six = row(text, "Six pairs of Table 2, transductive, mean UAR of CAAM", "last")
    assert six[2] == "39.90"
    assert six[3].startswith("100.00 (")


def test_others_are_compared_with_caam_and_what_has_one_fit_with_each_selection(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    half, none = [0, 1, 1, 0], [1, 1, 0, 0]
    for place in SIX_PAIRS:
        where = f"cross/{{}}/{place}/transductive"
        chosen = {"oracle": TRUTH, "last": half, "validated": half}
        write(results, where.format("caam"), predicted=chosen)
        write(results, where.format("dann"), predicted={**chosen, "last": none})
        write(results, where.format("compare-svm"), predicted={"last": half}, epochs=0)
        for system, predicted in (("caam", half), ("algorithm-4", none)):
            system += "-source-levels"
            write(results, where.format(system), predicted={"last": predicted})
    text = page(results)
    after = "### Other methods less CAAM"
    dann = row(text, "SAVEE to EMODB", "DANN", "transductive", after=after)
    assert [cell.split()[0] for cell in dann[3:]] == ["+0.00", "-50.00", "+0.00"]
    svm = row(
        text,
        "mean of the six pairs of Table 2",
        "openSMILE ComParE 2016 + SVM",
        "transductive",
        after=after,
    )
    assert [cell.split()[0] for cell in svm[3:]] == ["-50.00", "+0.00", "+0.00"]
    over = "the same, gain over Algorithm 4, both with source-statistics normalisation"
    alike = row(text, over, "last", after="Six pairs of Table 2, transductive")
    assert alike[2] == "+11.97"
    assert alike[3].startswith("+50.00 (")


def test_loso_has_every_system_and_one_speaker_no_interval(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write(results, "loso/cpac-streaming/emodb/speaker-03", speakers=["03"] * 4)
    text = page(results)
    one = "100.00 (no interval: one speaker); 1 of 10 folds"
    cells = row(text, "CPAC, streaming", after="## Leave one speaker out")
    assert cells[1:] == ["*not run*", one, "*not run*", "*not run*"]
    assert row(text, "EMODB", "CPAC, streaming", one)
    not_run = row(text, "openSMILE eGeMAPS + SVM", after="## Leave one speaker out")
    assert not_run[1:] == ["*not run*"] * 4


def test_confusion_matrices_are_percent_of_a_row(tmp_path: Path) -> None:
    results = tmp_path / "results"
    predictions = {"oracle": [0, 1, 1, 1]}
    for k in (1, 2):
        where = f"paper-10fold/cpac-as-published-code/emodb/fold-{k}"
        write(results, where, predicted=predictions)
    cells = Cells(load_runs(results))
    cell = cells.cell("paper-10fold", "cpac-as-published-code", "emodb", "oracle")
    assert cell is not None
    np.testing.assert_allclose(percent_matrix(cell), [[50, 50], [0, 100]])
    text = page(results, figures=True)
    assert "![Figure S1: confusion matrices](results/figure-s1.png)" in text
    assert "EMODB, oracle: 2 of 10 folds." in text
    assert "CASIA, oracle: *not run*." in text


def full_tree(results: Path) -> None:
    """Enough for every figure."""
    rng = random.Random(1)
    n = 16
    truth = [i % 2 for i in range(n)]
    speakers = [f"s{i % 6}" for i in range(n)]

    def guess() -> list[int]:
        return [t if rng.random() < 0.7 else 1 - t for t in truth]

    common: dict[str, Any] = {"truth": truth, "speakers": speakers}
    for place in ("casia", "emodb", "savee", "ravdess"):
        for system in (
            "cpac-as-published-code",
            "algorithm-1",
            "algorithm-2",
            "algorithm-3",
        ):
            predicted = {"oracle": guess(), "last": guess()}
            where = f"paper-10fold/{system}/{place}/fold-1"
            path = write(results, where, predicted=predicted, **common)
            save_points(path.with_suffix(".npz"), truth)
    for place in ("casia-emodb", "emodb-casia"):
        predicted = {"oracle": guess(), "last": guess(), "validated": guess()}
        curve = [{"epoch": e, "test_UAR": 30.0 + e} for e in (1, 2, 3)]
        where = f"cross/caam/{place}/transductive"
        apart = {"before": {"mean": 2000.0}, "after": {"mean": 0.5}}
        common |= {"curve": curve, "distances": apart}
        path = write(results, where, predicted=predicted, **common)
        save_points(path.with_suffix(".npz"), truth * 2, domain=[0] * n + [1] * n)


def save_points(path: Path, truth: list[int], domain: list[int] | None = None) -> None:
    """What the runner keeps for t-SNE."""
    rng = np.random.default_rng(len(path.parts))
    n = len(truth)
    arrays: dict[str, Any] = {"psi": rng.normal(size=(n, PSI_WIDTH)).astype(np.float16)}
    if domain is not None:
        arrays["domain"] = np.array(domain)
        arrays["mfcc"] = rng.normal(0, 100, size=(n, N_MFCC)).astype(np.float16)
    np.savez(path, truth=np.array(truth), **arrays)


# A dozen t-SNEs: long where the cores are busy with training.
@pytest.mark.timeout(600)
def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    results = tmp_path / "results"
    full_tree(results)
    first = page(results, figures=True)
    docs = tmp_path / "docs"
    files = sorted(path for path in docs.rglob("*") if path.is_file())
    kept = {path: path.read_bytes() for path in files}
    assert (
        "raw MFCC (32 clips, transductive, seed 98; means of a class 2000.00" in first
    )
    # One t-SNE is drawn anew, the others are known to be of the same points.
    (docs / "results/figure-s2.png").unlink()
    assert page(results, figures=True) == first
    assert {path: path.read_bytes() for path in files} == kept
    names = [path.stem for path in files if path.suffix == ".png"]
    assert names == [
        *("figure-2", "figure-3", "figure-s1", "figure-s2", "figure-s3", "figure-s4"),
        *("learning-curves", "ours-and-the-paper"),
    ]
    assert (
        "*not run*"
        not in first[first.index("### Figure 2") : first.index("## EmoBox folds")]
    )
    # In a web page: some kilobytes each, all of them images.
    assert sum(len(kept[path]) for path in files) < 1_000_000
    for path in files:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert min(image.size) > 300


def test_a_figure_goes_when_its_results_go(tmp_path: Path) -> None:
    results = tmp_path / "results"
    where = "paper-10fold/cpac-as-published-code/emodb/fold-1"
    path = write(results, where, predicted={"oracle": TRUTH})
    page(results, figures=True)
    figure = tmp_path / "docs/results/figure-s1.png"
    assert figure.exists()
    path.unlink()
    assert no_figure("S1: confusion matrices") in page(results, figures=True)
    assert not figure.exists()


def test_notes_by_hand_are_taken_as_they_are(tmp_path: Path) -> None:
    found, why = "## Found\n\n- *little*\n", "## Why\n\n- *why* | not a table\n"
    (tmp_path / "docs").mkdir()
    notes = tmp_path / "docs/results-notes.md"
    notes.write_text(f"{found}\n{why}\n## More\n\n1.\n", encoding="utf-8")
    text = page(tmp_path / "results")
    places = [
        text.index(x) for x in (found, "## Contents", why, "## More", "### Table")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"schema": 2}, 'no "schema": 1'),
        ({"seed": 99, "protocol": "emobox"}, "its path says"),
        ({"truth": [0, 0, 1, 2]}, "no index into its 2 labels"),
        ({"speakers": ["03"]}, "differ in length"),
        ({"selections": {}}, "none of the selections"),
        ({"selections": {"last": {}}}, "has no 'predicted'"),
        ({"selections": []}, "no attribute"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"distances": {"before": {"mean": 1.0}}}, "has no 'after'"),
    ],
)
def test_a_file_that_is_no_result_is_named(
    tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    path = write(tmp_path / "results", "emobox/cpac-as-written/casia/fold-1")
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, **changed}), encoding="utf-8")
    with pytest.raises(SourceError, match=re.escape(why)) as raised:
        page(tmp_path / "results")
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "where", ["x.json", "emobox/a/casia/notes.json", "mine/a/casia/fold-1-seed-1.json"]
)
def test_foreign_json_is_named(tmp_path: Path, where: str) -> None:
    path = tmp_path / "results" / where
    path.parent.mkdir(parents=True)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(SourceError, match=r"results lie in PROTOCOL/") as raised:
        page(tmp_path / "results")
    assert str(path) in str(raised.value)


def test_results_of_other_commands_are_left_alone(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write(results, "emobox/cpac-as-written/casia/fold-1")
    for name in (
        "adapt-eval/gains/casia-emodb-seed-98-half-1.json",
        "loco/loco/seed-98/casia.json",
        "unseen/mine.json",
        "who-speaks.json",
    ):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("{}", encoding="utf-8")
    assert len(load_runs(results)) == 1


def test_cpac_is_compared_with_others_on_the_folds_that_both_have(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    ours = {"oracle": TRUTH, "last": [0, 1, 1, 1]}
    for k in (1, 2, 3):
        where = f"paper-10fold/cpac-as-published-code/emodb/fold-{k}"
        # The third fold would lower what is compared with the first two.
        write(results, where, predicted=ours if k < 3 else {"last": [1, 0, 1, 1]})
    for system, folds in (("cpac-raw-mfcc", (1,)), ("algorithm-2", (1, 2))):
        for k in folds:
            where = f"paper-10fold/{system}/emodb/fold-{k}"
            write(results, where, predicted={"oracle": TRUTH, "last": TRUTH})
    text = page(results)
    after = "Why are we below the paper?"
    raw = row(text, "EMODB", SYSTEMS["cpac-raw-mfcc"], after=after)
    assert raw[2].startswith("+0.00")
    assert raw[3].startswith("+25.00")
    assert raw[3].endswith("1 of 10 folds")
    assert raw[5].startswith("100.00")
    for place, system in (("EMODB", "cpac-22050-hz"), ("CASIA", TRAINED_AS_PUBLISHED)):
        other = row(text, place, SYSTEMS[system], after=after)
        assert set(other[2:6]) == {"*not run*"}
    after = "CPAC minus each ablation"
    second = row(text, "EMODB", "Algorithm 2", after=after)
    assert second[2].startswith("+0.00")
    assert second[3].startswith("-25.00")
    assert second[3].endswith("2 of 10 folds")
    table = "### Table 3"
    for system, paper in (("algorithm-2", "89.90"), (ABLATIONS[1], "89.90")):
        assert row(text, "EMODB", SYSTEMS[system], after=table)[2] == paper
    other = row(text, "CASIA", SYSTEMS[ABLATIONS[1]], after=after)
    assert set(other[2:5]) == {"*not run*"}
    found = numbers(results)
    assert [one["points"] for one in found["above_ablations"]] == [0.0, -25.0]
    assert [one["points"] for one in found["choices"]] == [0.0, 25.0]


def test_cut_clips_are_compared_with_whole_ones_on_the_same_features(
    tmp_path: Path,
) -> None:
    results = tmp_path / "results"
    right, wrong = {"last": TRUTH}, {"last": [0, 1, 1, 1]}
    for system, said in (
        (CUT_ENDS, right),
        ("cpac-published-features", wrong),
        ("cpac-as-published-code", right),
    ):
        write(results, f"paper-10fold/{system}/casia/fold-1", predicted=said)
    text = page(results)
    found = row(text, "CASIA", SYSTEMS[CUT_ENDS], after="Why are we below the paper?")
    assert found[3].startswith("+25.00")


def test_half_a_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "results", "emobox/cpac-as-written/casia/fold-1")
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")
    with pytest.raises(SourceError, match="not JSON"):
        page(tmp_path / "results")


def test_a_score_that_is_not_that_of_its_predictions_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "results", "emobox/cpac-as-written/casia/fold-1")
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["selections"]["last"]["WAR"] = 99.0
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(SourceError, match=r"WAR 99.0 is not that of .* 100.00"):
        page(tmp_path / "results")


def test_folds_of_other_classes_are_not_pooled(tmp_path: Path) -> None:
    write(tmp_path / "results", "emobox/cpac-as-written/casia/fold-1")
    other = "emobox/cpac-as-written/casia/fold-2"
    write(tmp_path / "results", other, labels=["angry", "happy"])
    with pytest.raises(
        SourceError, match="angry, happy are not those of the other folds"
    ):
        page(tmp_path / "results")


def test_a_damaged_npz_is_named(tmp_path: Path) -> None:
    where = "paper-10fold/cpac-as-published-code/casia/fold-1"
    path = write(tmp_path / "results", where, predicted={"oracle": TRUTH})
    path.with_suffix(".npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(SourceError, match=r"fold-1-seed-98\.npz"):
        page(tmp_path / "results", figures=True)


def test_another_table_of_published_numbers_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "paper.csv"
    with pytest.raises(SourceError, match="No such file"):
        build(tmp_path, tmp_path / "out.md", table)
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError, match="needs the columns table, method"):
        build(tmp_path, tmp_path / "out.md", table)
    table.write_text("table,method,source,target,metric,value\n1,x,A,A,WAR,many\n")
    with pytest.raises(SourceError, match="row 2 is no row"):
        build(tmp_path, tmp_path / "out.md", table)


def test_the_folds_expected_of_emobox_are_those_of_its_table() -> None:
    lines = (PROTOCOLS / "emobox_folds.csv").read_text(encoding="utf-8").splitlines()
    found: dict[str, set[str]] = {}
    for line in lines[1:]:
        corpus, _, fold = line.split(",")
        found.setdefault(corpus, set()).add(fold)
    assert {c: len(found[c]) for c in N_FOLDS["emobox"]} == N_FOLDS["emobox"]
