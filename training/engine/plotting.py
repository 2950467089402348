"""What all figures share: colours, small PNG files."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

_COLOURS = {
    "angry": "#d62728",
    "happy": "#e8a800",
    "sad": "#1f4fb4",
    "neutral": "#7f7f7f",
    "fear": "#8e44ad",
    "surprise": "#17a5a5",
    "disgust": "#4f8f2f",
    "boredom": "#8c564b",
    "calm": "#7fb3e6",
}
SELECTION_COLOURS = {"oracle": "#e07b00", "last": "#1f77b4", "validated": "#2a8f4f"}
_DPI = 100
_SOURCE = "Source"
_N_COLOURS = 64
"""Of a palette: a third of the bytes, and no difference to be seen in line art."""


def colour(emotion: str) -> str:
    return _COLOURS.get(emotion, "#000000")


def panels(
    n_rows: int, n_columns: int, size: float, height: float | None = None
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of panels, `size` inches wide, square unless they have a `height`."""
    inches = (n_columns * size, n_rows * (height or size))
    figure = Figure(figsize=inches, layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False).tolist()


def empty(axes: Axes, title: str) -> None:
    """A panel of which nothing was run."""
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, "not run", ha="center", va="center", transform=axes.transAxes)


def legend(figure: Figure, emotions: Sequence[str]) -> None:
    """Colours of emotions, under the panels."""
    from matplotlib.lines import Line2D

    dots = [
        Line2D([], [], marker="o", linestyle="", color=colour(e), label=e)
        for e in emotions
    ]
    figure.legend(
        handles=dots,
        loc="outside lower center",
        ncols=len(dots),
        fontsize=8,
        frameon=False,
    )


def save(figure: Figure, path: Path, source: str = "") -> None:
    """As a PNG with a palette; `source` is what `drawn_from` gives."""
    with BytesIO() as buffer:
        figure.savefig(buffer, dpi=_DPI, format="png")
        buffer.seek(0)
        image = Image.open(buffer).convert("RGB").quantize(_N_COLOURS)
    note = PngInfo()
    if source:
        note.add_text(_SOURCE, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True, pnginfo=note)


def drawn_from(path: Path) -> str | None:
    """What a picture says it was drawn from; None of another, or of no picture."""
    try:
        with Image.open(path) as image:
            return image.info.get(_SOURCE)
    except (FileNotFoundError, UnidentifiedImageError):
        return None
