"""The card of a bundle: its manifest, for people."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.card_quality import quality
from export.card_stream import streams, unseen
from export.card_text import table


def write_card(path: Path, manifest: dict[str, Any]) -> None:
    """Write the card of a manifest."""
    parts = [
        _head(manifest),
        _data(manifest),
        quality(manifest),
        unseen(manifest),
        streams(manifest),
        _limits(manifest),
        _making(manifest),
    ]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _head(m: dict[str, Any]) -> str:
    bound = [c["name"] for c in m["corpora"] if not c.get("any_use")]
    warning = ""
    if bound:
        warning = (
            f"\n**Not for commercial use**: {_and(bound)} does not allow it, and the "
            "weights were learned from it.\n"
        )
    pitch = " and a pitchogram" if m["front_end"].get("pitch") else ""
    return f"""# Model card: {m["name"]}

A network of the CPAC family (Wen et al., IJCAI 2022) in the streaming form of
ser-stream: 39 MFCCs{pitch} of 50 ms frames every 12.5 ms, normalisation
`{m["normalisation"]}`, windows of 1 to {len(m["temperatures"])} columns
(0.5 to 2.9 s). It gives {len(m["labels"])} classes: {", ".join(m["labels"])}.
Licence of the weights: {m["licence"]}.
{warning}"""


def _data(m: dict[str, Any]) -> str:
    counts = Counter(str(name).split("/")[0] for name in m["training"]["speakers"])
    rows = [
        [
            c["name"],
            c.get("language", "unknown"),
            counts[c.get("folder", "")],
            c["licence"],
            ", ".join(c["classes"]),
        ]
        for c in m["corpora"]
    ]
    credits = "\n".join(
        "- " + " ".join(c[key] for key in ("notice", "citation") if c.get(key))
        for c in m["corpora"]
        if c.get("notice") or c.get("citation")
    )
    only_some = [
        c["name"] for c in m["corpora"] if set(c["classes"]) != set(m["labels"])
    ]
    some = ""
    if only_some:
        some = (
            f" {_and(only_some)} had a say about the classes named beside it alone, so "
            "that its rooms and microphones tell nothing about the others."
        )
    return f"""
## Trained on

{table(["corpus", "language", "speakers", "licence", "classes"], rows)}
Acted emotions, all of them.{some} Credits and notices:

{credits or "- none known"}
"""


def _limits(m: dict[str, Any]) -> str:
    languages = sorted({c.get("language", "unknown") for c in m["corpora"]})
    measured = ""
    if m.get("unseen"):
        heard = sorted(
            {name for c in m["unseen"]["corpora"].values() for name in c["languages"]}
        )
        measured = f" (measured on acted {_and(heard)}: see the corpora it never heard)"
    return f"""
## What it cannot do

- It was trained on adult actors who were told which emotion to play, in
  {_and(languages)}, in quiet rooms. Other actors and languages{measured}, spontaneous
  speech, telephones and far microphones are harder than the figures of its own corpora
  say.
- **Children**: none was heard in training; their voices lie outside of what it knows.
- **Telephone** and other narrow bands: not measured.
- It hears one voice at a time, and does not tell speakers apart.
- It hears how a voice sounds. It cannot know what a person feels, and an actor's anger
  is not anger.

## What not to use it for

- **Deciding about people**: hiring, grading, insurance, credit, policing, border
  control, care. Its error alone forbids it; so does what it measures.
- **At work and in education**: in the European Union, inferring emotions of people
  there is prohibited, save for medical or safety reasons (AI Act, Regulation 2024/1689,
  Article 5(1)(f)).
- **Without telling the people**: whoever uses emotion recognition elsewhere must tell
  those who are exposed to it (Article 50(3)).
- **Medicine**: it diagnoses nothing, neither depression nor distress, and is no medical
  device.
- **Lies, guilt, intent, sincerity**: no voice tells them, and this model was never
  shown any.
- **Children**, as above.
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


def _and(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
