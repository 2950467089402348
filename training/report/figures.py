"""The figures: the paper's S1, 2, 3, S2, S3, S4, and two of our own."""

from functools import partial
from pathlib import Path
from typing import Any

from training.paper.reproduce.tables import ABLATIONS, CPAC
from training.report.cells import Cells
from training.report.published import Published
from training.report.score_figures import draw_confusion, draw_curves, draw_intervals
from training.report.tsne_figures import TSNE, draw_tsne

_CPAC = f"--system {CPAC}"
_1, _2, _3 = (f"--system {system}" for system in ABLATIONS)
COMMANDS = {
    "Figure S1": f"1 {_CPAC}",
    "Figure 2": f"3 {_CPAC} {_2} --place casia --fold fold-1",
    "Figure 3": f"1 {_CPAC} --place casia --place ravdess --fold fold-1",
    "Figure S2": f"3 {_1} {_3} --place casia --fold fold-1",
    "Figure S3": f"1 {_CPAC} --place emodb --place savee --fold fold-1",
    "Figure S4": "2 --system caam --place casia-emodb --place emodb-casia "
    "--fold transductive",
}
"""What `reproduce` is told, to compute what a figure of the paper shows."""


def draw_all(cells: Cells, published: Published, folder: Path) -> list[dict[str, Any]]:
    """Draw all that can be drawn; a figure of which nothing was run is removed.

    Returns:
        The name, title, file (None: not run), caption and command of each.
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
        drawn.append(
            {"name": name, "title": title, "file": file, "caption": caption}
            | {"command": COMMANDS.get(name, "")}
        )
    return drawn
