"""Finished results -> the results section of `docs/adaptation.md`, and its pictures."""

from collections.abc import Iterator
from pathlib import Path

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError
from training.engine.result_store import Result
from training.engine.templates import fill
from training.evaluation.adaptation.plots import draw_gains, draw_rounds
from training.evaluation.adaptation.settings import read_all
from training.evaluation.adaptation.summary import METHODS, summarise, verdicts
from training.evaluation.bootstrap import FEW_SPEAKERS
from training.protocols.names import place_name

BEGIN = "<!-- results: python -m training adapt-eval -->"
END = "<!-- end of results -->"
PICTURES = "adaptation"


def lines(summary: Result) -> Iterator[str]:
    """The figures that are claimed, for a terminal."""
    if "mean_gain" in summary:
        for method in METHODS:
            if method in summary:
                found = summary[method]
                yield f"{METHODS[method]}: mean UAR gain {_gain(found)} points"
    for method, found in summary.get("source", {}).items():
        yield f"{METHODS[method]}: mean loss on the source {found['mean_loss']} points"
    for name, found in summary.get("attacks", {}).items():
        if "caught" in found:
            yield f"{name} on purpose: {'caught' if found['caught'] else 'NOT CAUGHT'}"
            continue
        harm = ", ".join(found["harm"]) or "none"
        yield f"attack {name}: {_verdicts(found['rounds_by_verdict'])}; harm: {harm}"


def write_page(folder: Path, page: Path) -> list[str]:
    """Put the results into the page, between its two marks, and draw its pictures.

    Returns:
        A line for each file that was written.

    Raises:
        ConfigError: if the page is not there, or lacks the marks.
    """
    try:
        before, found, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
    except OSError as error:
        raise ConfigError(f"cannot read {page}: {error.strerror}") from None
    if not found or not end:
        raise ConfigError(f"{page} needs the lines {BEGIN} and {END} for the results")
    pictures = page.parent / PICTURES
    results = read_all(folder / "gains")
    summary = summarise(folder)
    drawn = []
    if "pairs" in summary:
        drawn.append(draw_gains(summary, pictures / "gains.png"))
        drawn += draw_rounds(results, pictures / "rounds.png")
    text = fill(
        Path(__file__).with_name("page.md.j2"),
        *(place_name, _gain, _verdicts),
        summary=summary,
        methods={m: name for m, name in METHODS.items() if m in summary},
        rounds=verdicts(entry for result in results for entry in result["rounds"]),
        attacked=read_all(folder / "attacks"),
        live=read_all(folder / "cost"),
        few=FEW_SPEAKERS,
        drawn=[path.name for path in drawn],
        pictures=PICTURES,
    )
    replace_file(page, f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    return [f"{path}" for path in (page, *drawn)]


def _gain(found: Result) -> str:
    bounds = found["gain_interval"]
    told = "" if bounds is None else f" ({bounds[0]:+.1f} to {bounds[1]:+.1f})"
    return f"{found['gain']:+.1f}{told}"


def _verdicts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {phase.replace('_', ' ')}" for phase, n in counts.items())
