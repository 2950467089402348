"""The result of `run`, to read."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from training.evaluation.bootstrap import percent


def table(result: Mapping[str, Any]) -> str:
    """Lines of text: each corpus by system, sex, language, speaker and class."""
    corpora = result["corpora"]
    rows = [
        ["", *corpora],
        [result["model"]["name"], *map(percent, corpora.values())],
    ]
    for scaling in result.get("svm", {}).get("scalings", ()):
        rows.append(
            [
                f"ComParE + SVM, {scaling}",
                *(
                    percent({**c["svm"][scaling], "n_speakers": c["n_speakers"]})
                    for c in corpora.values()
                ),
            ]
        )
    head = f"Zero-shot UAR, percent; trained on {', '.join(result['trained_on'])}\n"
    if fitted := result["fitted_to"]:
        head += (
            f"Not in training, but measured for what is set after it: "
            f"{', '.join(fitted)}; that flatters there\n"
        )
    parts = [_corpus(name, c, result["labels"]) for name, c in corpora.items()]
    return "\n".join([head + _aligned(rows), *parts])


def _corpus(name: str, c: Mapping[str, Any], labels: Sequence[str]) -> str:
    rows = [
        ["", "clips", "UAR %", "WAR %", "ECE", "perfect", "kept %", "right of them"]
    ]
    for group, row in {"all": c, **c["sexes"], **c["languages"]}.items():
        steps = row["steps"]
        rows.append(
            [
                *(group, row["n"], percent(row), percent(row, "WAR"), row["ECE"]),
                *(row["ECE_perfect"], steps.get("coverage")),
                steps.get("WAR_when_certain"),
            ]
        )
    rows += [
        [speaker, row["n"], percent(row), percent(row, "WAR")]
        for speaker, row in c["speakers"].items()
    ]
    confusion = [
        ["truth \\ heard", *labels, "recall %"],
        *(
            [label, *row[: len(labels)], c["recall"][label]]
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


def _aligned(rows: Sequence[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell; a row may lack its last ones."""
    columns = [[str(cell) for cell in of] for of in zip_longest(*rows, fillvalue="")]
    padded = [[cell.ljust(max(map(len, of))) for cell in of] for of in columns]
    return "".join("  ".join(row).rstrip() + "\n" for row in zip(*padded, strict=True))
