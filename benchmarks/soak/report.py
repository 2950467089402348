"""`docs/soak.md`, from nothing but the kept results."""

from pathlib import Path

from benchmarks.soak import figures
from benchmarks.soak.parts import PARTS, load, table
from training.engine.templates import fill


def write(out: Path) -> Path:
    """Write the page beside the folder of results; its path."""
    found = {name: load(out, name) for name in PARTS}
    results = {name: result for name, result in found.items() if result}
    figures.draw(results, out)
    page = out.with_suffix(".md")
    text = fill(
        Path(__file__).with_name("page.md.j2"),
        folder=out,
        results=results,
        rows=table(results),
        load=results.get("load", {}),
        speed=results.get("fast", {}).get("speed", "(not run)"),
    )
    page.write_text(text, "utf-8")
    return page
