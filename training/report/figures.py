"""The figures: the paper's S1, 2, 3, S2, S3, S4, and two of our own."""

from functools import partial
from pathlib import Path
from typing import Any

from training.report.cells import Cells
from training.report.published import Published
from training.report.score_figures import draw_confusion, draw_curves, draw_intervals
from training.report.tsne_figures import TSNE, draw_tsne


def draw_all(cells: Cells, published: Published, folder: Path) -> list[dict[str, Any]]:
    """Draw all that can be drawn; a figure of which nothing was run is removed.

    Returns:
        The name, title, file (None: not run) and caption of each.
    """
    drawn = []
    for name, title, draw in (
        (
            "Ours and the paper",
            "WAR per corpus, UAR of CAAM per pair",
            partial(draw_intervals, cells, published),
        ),
        (
            "Learning curves",
            "what oracle, last and validated choose from",
            partial(draw_curves, cells),
        ),
        ("Figure S1", "confusion matrices", partial(draw_confusion, cells)),
        *(
            (f"Figure {name}", title, partial(draw_tsne, cells, wanted))
            for name, (title, wanted) in TSNE.items()
        ),
    ):
        path = folder / f"{name.lower().replace(' ', '-')}.png"
        caption = draw(path)
        if caption is None:
            path.unlink(missing_ok=True)
        file = path if caption else None
        drawn.append({"name": name, "title": title, "file": file, "caption": caption})
    return drawn
