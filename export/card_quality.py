"""Sections of a card about held-out speakers: quality, calibration, abstention."""

from typing import Any

from export.card_text import GROUP_HEAD, footnote, group_row, table
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.pipeline.window import window_length
from training.evaluation.bootstrap import percent


def quality(m: dict[str, Any]) -> str:
    """Metrics of the cross-validation; or that there are none."""
    if not m.get("metrics"):
        return "\n## Quality\n\nNot measured: exported without a cross-validation.\n"
    return _quality(m) + _calibration(m) + _abstention(m)


def _quality(m: dict[str, Any]) -> str:
    metrics, labels = m["metrics"], m["labels"]
    confusion = table(
        ["truth \\ heard", *labels, "recall %"],
        [
            [label, *row[: len(labels)], metrics["recall"][label]]
            for label, row in zip(labels, metrics["confusion_matrix"], strict=False)
        ],
    )
    columns = table(
        [
            "columns",
            "seconds heard",
            "clips",
            "UAR % (95 %)",
            "WAR %",
            "ECE, if perfect",
        ],
        [
            [
                n,
                f"{window_length(int(n)) / SAMPLE_RATE:.1f}",
                row["n"],
                percent(row),
                row["WAR"],
                f"{row['ECE']}, {row['ECE_perfect']}",
            ]
            for n, row in metrics["columns"].items()
        ],
    )
    groups = [
        (f"{kind} {name}", row)
        for kind, key in (("corpus", "corpora"), ("sex", "sexes"), ("", "languages"))
        for name, row in metrics[key].items()
    ]
    return f"""
## Quality, on speakers it had not heard

Protocol: {metrics["protocol"]}.

The figures are of the networks of the folds; the network shipped was trained in the
same way on all speakers, so nothing in these corpora can score it. {metrics["n"]} clips
of {
        metrics["n_speakers"]
    } speakers. Intervals are of 95 %, by a bootstrap over speakers.

UAR {percent(metrics)} %, WAR {percent(metrics, "WAR")} %. Clips in which the gate heard
no speech count as wrong: {metrics["n_without_speech"]}.

{confusion}
By corpus, sex and language:

{table(GROUP_HEAD, [group_row(name.strip(), row) for name, row in groups])}{
        footnote([row for _, row in groups])
    }
By how much of an utterance was heard (first step whose window has so many columns):

{columns}"""


def _calibration(m: dict[str, Any]) -> str:
    metrics, t = m["metrics"], m["temperatures"]
    steps = metrics["steps"]
    return f"""
## Calibration

A score should be the share of cases in which its label is right. Logits are divided by
a temperature before the softmax: {t[0]:.2f} for the shortest window, falling or rising
smoothly to {t[-1]:.2f} for the longest; two numbers, fitted on held-out speakers. The
scores of a whole recording (`recognize`) are the mean over its steps, raised to the
power {1 / m["clip_temperature"]:.2f}, since a mean alone is too timid.

Expected calibration error (10 bins of equal mass; everything fitted on other folds),
beside what scores without any fault would show of so many cases by chance:

{
        table(
            ["of", "n", "ECE", "if perfect", "difference"],
            [
                ["steps", steps["n"], *_errors(steps)],
                ["whole clips", metrics["n"], *_errors(metrics)],
            ],
        )
    }
{_calibration_elsewhere(m)}
"""


def _calibration_elsewhere(m: dict[str, Any]) -> str:
    corpora = m.get("unseen", {}).get("corpora", {})
    found = [f"{name} {c['steps']['ECE']}" for name, c in corpora.items()]
    if not found:
        return "On corpora it never heard: not measured."
    return (
        f"On corpora it never heard, the error of a step: {', '.join(found)}. On "
        "voices and rooms unlike those of its own corpora a high score means little."
    )


def _errors(row: dict[str, Any]) -> list[Any]:
    return [row.get(key) for key in ("ECE", "ECE_perfect", "ECE_excess")]


def _abstention(m: dict[str, Any]) -> str:
    metrics, threshold = m["metrics"], m["thresholds"]["uncertain"]
    how = m.get("thresholds_chosen_by", {}).get("uncertain", "the default")
    steps, found = metrics["steps"], metrics.get("risk_coverage")
    if found is None:
        return ""
    measured = ""
    if steps["uncertain"] == threshold:
        measured = (
            f" It leaves {steps['coverage']} % of steps their label (measured with the "
            f"thresholds that the other folds chose). {steps['WAR_when_certain']} % of "
            f"these are right, of all steps {steps['WAR']} %."
        )
    rows = [[p["threshold"], p["coverage"], p["error"]] for p in found["points"]]
    return f"""
## When it abstains

A step whose best score is under {threshold} is `uncertain`, and never begins an
emotion. The threshold was chosen so: {how}.{measured}

A higher threshold buys fewer errors with fewer labels (`[smoothing] uncertain` of the
configuration sets it); area under this risk-coverage curve {found["AURC"]}:

{table(["threshold", "steps with a label %", "wrong of them %"], rows)}"""
