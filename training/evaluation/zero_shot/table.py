"""The result of `run`, to read."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.bootstrap import percent


def table(result: Mapping[str, Any]) -> str:
    """Lines of text: each corpus by system, sex, language, speaker and class."""
    parts = [_headline(result)]
    parts += [_corpus(n, c, result["labels"]) for n, c in result["corpora"].items()]
    return "\n".join(parts)


def _headline(result: Mapping[str, Any]) -> str:
    rows = [["", *result["corpora"]]]
    corpora = result["corpora"].values()
    rows.append([result["model"]["name"], *(percent(c) for c in corpora)])
    for scaling in result.get("svm", {}).get("scalings", ()):
        rows.append(
            [
                f"ComParE + SVM, {scaling}",
                *(
                    percent({**c["svm"][scaling], "n_speakers": c["n_speakers"]})
                    for c in corpora
                ),
            ]
        )
    trained = ", ".join(result["trained_on"])
    return f"Zero-shot UAR, percent; trained on {trained}\n{_aligned(rows)}"


def _corpus(name: str, c: Mapping[str, Any], labels: Sequence[str]) -> str:
    rows = [
        ["", "clips", "UAR %", "WAR %", "ECE", "perfect", "kept %", "right of them"]
    ]
    groups = {"all": c, **c["sexes"], **c["languages"]}
    for group, row in groups.items():
        steps = row["steps"]
        rows.append(
            [
                group,
                str(row["n"]),
                percent(row),
                percent(row, "WAR"),
                str(row["ECE"]),
                str(row["ECE_perfect"]),
                str(steps.get("coverage")),
                str(steps.get("WAR_when_certain")),
            ]
        )
    rows += [
        [speaker, str(row["n"]), percent(row), percent(row, "WAR"), "", "", "", ""]
        for speaker, row in c["speakers"].items()
    ]
    confusion = [
        ["truth \\ heard", *labels, "recall %"],
        *(
            [label, *map(str, row[: len(labels)]), str(c["recall"][label])]
            for label, row in zip(labels, c["confusion_matrix"], strict=False)
        ),
    ]
    dropped = ", ".join(f"{n} {emotion}" for emotion, n in c["dropped"].items())
    aurc = c.get("risk_coverage", {}).get("AURC")
    return (
        f"\n{name}: {c['n']} clips of {c['n_speakers']} speakers; dropped: "
        f"{dropped or 'none'}; without speech: {c['n_without_speech']}; AURC {aurc}\n"
        f"{_aligned(rows)}\n{_aligned(confusion)}"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )
