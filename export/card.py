"""The card of a bundle: its manifest, for people."""

from pathlib import Path
from typing import Any

from ser_stream.values import SAMPLE_RATE
from ser_stream.window import window_length


def write_card(path: Path, manifest: dict[str, Any]) -> None:
    """Write the card of a manifest."""
    parts = [
        _head(manifest),
        _data(manifest),
        _quality(manifest),
        _limits(manifest),
        _making(manifest),
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(x) for x in row) + " |\n" for row in lines)


def _head(m: dict[str, Any]) -> str:
    return f"""# Model card: {m["name"]}

A CPAC network (Wen et al., IJCAI 2022) in the streaming form of ser-stream: 39 MFCCs
of 50 ms frames every 12.5 ms, normalisation `{m["normalisation"]}`, windows of 1 to
{len(m["temperatures"])} columns (0.5 to 2.9 s). It gives {len(m["labels"])} classes:
{", ".join(m["labels"])}. Licence of the weights: {m["licence"]}.
"""


def _data(m: dict[str, Any]) -> str:
    rows = [
        [c["name"], c.get("language", ""), c["licence"], ", ".join(c["classes"])]
        for c in m["corpora"]
    ]
    speakers = len(m["training"]["speakers"])
    credits = "\n".join(
        f"- {c.get('notice', '')} {c.get('citation', '')}".replace("-  ", "- ")
        for c in m["corpora"]
    )
    return f"""
## Trained on

{_table(["corpus", "language", "licence", "classes"], rows)}
{speakers} speakers, acted emotions. Credits:

{credits}
"""


def _quality(m: dict[str, Any]) -> str:
    metrics = m.get("metrics")
    if not metrics:
        return "\n## Quality\n\nNot measured: exported without a cross-validation.\n"
    labels = m["labels"]
    low, high = metrics["UAR_interval"]
    confusion = _table(
        ["truth \\ heard", *labels, "recall %"],
        [
            [label, *row[: len(labels)], metrics["recall"][label]]
            for label, row in zip(labels, metrics["confusion_matrix"], strict=False)
        ],
    )
    columns = _table(
        ["columns", "seconds heard", "clips", "UAR %", "WAR %", "ECE"],
        [
            [
                n,
                f"{window_length(int(n)) / SAMPLE_RATE:.1f}",
                r["n"],
                r["UAR"],
                r["WAR"],
                r["ECE"],
            ]
            for n, r in metrics["columns"].items()
        ],
    )
    steps = metrics["steps"]
    return f"""
## Quality, on speakers it had not heard

Protocol: {metrics["protocol"]}. The figures are of the networks of the folds; the
network shipped was trained in the same way on all speakers, so nothing in this corpus
can score it. {metrics["n"]} clips.

UAR {metrics["UAR"]} % (95 % interval {low} to {high}, bootstrap over speakers),
WAR {metrics["WAR"]} %, expected calibration error {metrics["ECE"]} (10 bins of equal
mass, temperatures fitted on the other folds). Clips in which the gate heard no speech
count as wrong: {metrics["n_without_speech"]}.

{confusion}
By how much of an utterance was heard (first step whose window has so many columns):

{columns}
Single steps: WAR {steps["WAR"]} %, ECE {steps["ECE"]}; with the threshold
{steps["uncertain"]} under which a step is `uncertain`, {steps["coverage"]} % of steps
keep a label, with WAR {steps["WAR_when_certain"]} %.
"""


def _limits(m: dict[str, Any]) -> str:
    languages = sorted({c.get("language", "unknown") for c in m["corpora"]})
    return f"""
## What it cannot do

- It was trained on actors who were told which emotion to play, in
  {", ".join(languages)}, in quiet rooms. Spontaneous speech, other languages, children,
  telephones and far microphones are not measured, and worse.
- It hears how a voice sounds, not what a person feels. Do not decide anything about a
  person by it.
- In the European Union, inferring emotions of people at work or in education is
  prohibited (AI Act, Article 5(1)(f)), and people exposed to emotion recognition must
  be told (Article 50(3)).
"""


def _making(m: dict[str, Any]) -> str:
    parity = m["parity"]
    commands = "\n".join(m["training"]["commands"])
    return f"""
## How it was made

{m["training"]["epochs"]} epochs, seed {m["training"]["seed"]}, revision
`{m["training"]["revision"]}`.

```
{commands}
```

Parity of the two graphs, run step by step, with the whole PyTorch network on
{parity["clips"]} real clips ({parity["steps"]} steps): largest logit difference
{parity["max_logit_difference"]:.1e}, same label at every step:
{"yes" if parity["labels_equal"] else "no"}; median distance between two clips
{parity["median_distance_between_clips"]:.2f}; shifted by half a column, the median
difference is {parity["median_difference_when_shifted"]:.2f}.
"""
