"""Finished cells -> the results section of `docs/adaptation.md`, and its pictures."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError
from training.engine.result_store import Result
from training.evaluation.adaptation.plots import draw_gains, draw_rounds
from training.evaluation.adaptation.result_file import read_all
from training.evaluation.adaptation.round_counts import verdicts
from training.evaluation.adaptation.summary import METHODS, summarise
from training.evaluation.bootstrap import FEW_SPEAKERS
from training.protocols.names import place_name

BEGIN = "<!-- results: python -m training adapt-eval -->"
END = "<!-- end of results -->"
NAMES = {
    "adapt": "the daemon",
    "caam": "offline CAAM",
    "adabn": "AdaBN",
}
PICTURES = "adaptation"
"""Folder beside the page."""


def lines(summary: Result) -> Iterator[str]:
    """The figures that are claimed, for a terminal."""
    if "mean_gain" in summary:
        for method in METHODS:
            if method in summary:
                found = summary[method]
                yield f"{NAMES[method]}: mean UAR gain {_gain(found)} points"
    for method, found in summary.get("source", {}).items():
        yield f"{NAMES[method]}: mean loss on the source {found['mean_loss']} points"
    for name, found in summary.get("attacks", {}).items():
        if "caught" in found:
            yield f"{name} on purpose: {'caught' if found['caught'] else 'NOT CAUGHT'}"
            continue
        harm = ", ".join(found["harm"]) or "none"
        yield f"attack {name}: {_verdicts(found['rounds_by_verdict'])}; harm: {harm}"


def write_page(folder: Path, page: Path) -> list[str]:
    """Put the results into the page, between its two marks, and draw its pictures.

    Args:
        folder: of the results.
        page: that has the marks `BEGIN` and `END`, each on a line of its own.

    Returns:
        A line for each file that was written.

    Raises:
        ConfigError: if the page is not there, or lacks the marks.
    """
    try:
        before, found, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        old, end, after = rest.partition(END)
    except OSError as error:
        raise ConfigError(f"cannot read {page}: {error.strerror}") from None
    if not found or not end:
        raise ConfigError(f"{page} needs the lines {BEGIN} and {END} for the results")
    del old
    pictures = page.parent / PICTURES
    cells = read_all(folder / "gains")
    summary = summarise(folder)
    drawn = []
    if "pairs" in summary:
        drawn.append(draw_gains(summary, pictures / "gains.png"))
        drawn += draw_rounds(cells, pictures / "rounds.png")
    text = "\n".join(_sections(summary, cells, folder, [p.name for p in drawn]))
    replace_file(page, f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    return [f"{path}" for path in (page, *drawn)]


def _sections(
    summary: Result, cells: Sequence[Result], folder: Path, drawn: Sequence[str]
) -> Iterator[str]:
    if "pairs" in summary:
        yield from _gains(summary)
        for name in drawn:
            yield f"![{name.removesuffix('.png')}]({PICTURES}/{name})\n"
        yield from _source(summary["source"])
        yield from _rounds(cells)
    attacks = {cell["attack"]: cell for cell in read_all(folder / "attacks")}
    if attacks:
        yield from _attacks(attacks)
    yield from _cost(summary["cost"], read_all(folder / "cost"))
    yield f"Code: {', '.join(summary['revisions']) or 'nothing was run'}.\n"


def _gains(summary: Result) -> Iterator[str]:
    methods = [m for m in METHODS if m in summary]
    yield "### Gain on people never heard\n"
    heads = [f"{NAMES[m]}: gain" for m in methods]
    rows = []
    for pair, found in summary["pairs"].items():
        told = found["adapt"]
        crude = "†" if told["n_speakers"] < FEW_SPEAKERS else ""
        speakers = f"{told['n']} clips, {told['n_speakers']} speakers{crude}"
        name = place_name(pair) + ("" if found["complete"] else " (not all was run)")
        rows.append(
            [
                name,
                speakers,
                f"{told['UAR_before']:.1f}",
                f"{told['UAR_after']:.1f}",
                *(_gain(found[m]) if m in found else "" for m in methods),
            ]
        )
    blank = ["", "", ""]
    rows.append(["**mean**", *blank, *(_gain(summary[m]) for m in methods)])
    yield from _table(["pair", "scored", "UAR before", "after", *heads], rows)
    bound = summary["lowest_bound_of_a_pair"]
    if bound is not None:
        yield f"The lowest bound of a pair is {bound:+.1f} points."
    if "share_of_caam" in summary:
        share = 100 * summary["share_of_caam"]
        yield f"The daemon's mean gain is {share:.0f} % of offline CAAM's."
    yield f"\nUAR in percent, gains in points; {summary['intervals']}."
    yield f"† fewer than {FEW_SPEAKERS} speakers: that interval is crude.\n"


def _source(source: Result) -> Iterator[str]:
    yield "### What it costs on the source\n"
    rows = [
        [
            NAMES[method],
            str(found["cells"]),
            f"{found['mean_loss']:.1f} ± {found['standard_error'] or 0:.1f}",
            f"{found['worst_loss']:.1f}",
        ]
        for method, found in source.items()
    ]
    yield from _table(["", "cells", "mean loss of UAR ± standard error", "worst"], rows)
    yield (
        "Points, on clips of source speakers whom the network never heard, other than "
        "the canary's.\n"
    )


def _rounds(cells: Sequence[Result]) -> Iterator[str]:
    counts = verdicts(entry for cell in cells for entry in cell["rounds"])
    yield f"Rounds in these {len(cells)} replays: {_verdicts(counts)}.\n"


def _attacks(attacks: dict[str, Result]) -> Iterator[str]:
    yield "### Attacks\n"
    rows = []
    for name, cell in attacks.items():
        if "audio_s" not in cell:
            continue
        last = cell["accepted"][-1]["sets"] if cell["accepted"] else {}
        rows.append(
            [
                name,
                f"{cell['audio_s'] / 3600:.1f} h, {cell['speech_s'] / 60:.0f} min",
                _verdicts(cell["rounds_by_verdict"]),
                _gain(last["all"]) if last else "nothing accepted",
                ", ".join(cell["harm"]) or "none",
            ]
        )
    heads = ["attack", "heard, of it speech", "rounds", "UAR change", "harm"]
    yield from _table(heads, rows)
    yield (
        "The change is that of the version accepted last, with its interval, on clips "
        "of RAVDESS, CASIA and SAVEE whose speakers neither the model nor the attack "
        "had. Harm: an accepted version whose whole interval lies below 0, on all "
        "clips or on one corpus.\n"
    )
    if "collapse" in attacks:
        yield from _collapse(attacks["collapse"])


def _collapse(cell: Result) -> Iterator[str]:
    yield f"A collapse on purpose ({cell['about']}):\n"
    for step in cell["steps"]:
        # The first reason is enough of a gate that has five.
        yield f"- {step['what']}: {step['outcome'].partition(';')[0]}"
    yield ""


def _cost(cost: Result, live: Sequence[Result]) -> Iterator[str]:
    yield "### Cost\n"
    units = {"cpu_s": "CPU seconds of a round", "peak_rss_mb": "MB of the worker"}
    rows = [
        [units[key], *(f"{cost[key][of]:.0f}" for of in ("median", "most", "allowed"))]
        for key in units
        if key in cost
    ]
    if rows:
        yield from _table(
            [f"{cost['rounds']} rounds", "median", "most", "allowed"], rows
        )
    rows = [
        [
            "with `--adapt`" if cell["protocol"]["adapt"] else "without",
            str(cell["steps"]),
            str(cell["steps_skipped"]),
            f"{cell['latency_ms_p50']:.1f}",
            f"{cell['latency_ms_p99']:.1f}",
            str(len(cell["rounds"])),
        ]
        for cell in live
    ]
    if rows:
        heads = ["real time", "steps", "skipped", "p50, ms", "p99, ms", "rounds"]
        yield from _table(heads, rows)
    if "latency_p99_ratio" in cost:
        ratio = cost["latency_p99_ratio"]
        yield f"The 99th percentile is {ratio:.2f} times that without.\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _gain(found: Result) -> str:
    bounds = found["gain_interval"]
    told = "" if bounds is None else f" ({bounds[0]:+.1f} to {bounds[1]:+.1f})"
    return f"{found['gain']:+.1f}{told}"


def _verdicts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {phase.replace('_', ' ')}" for phase, n in counts.items())
