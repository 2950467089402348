"""The picture, by matplotlib: emotions, waveform, scores and steps above each other."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from ser_stream.commands.colours import colours, ink
from ser_stream.commands.plot.clock import clock, tick_s
from ser_stream.commands.plot.heard import Heard

WIDTH, HEIGHT = 12.0, 6.0
"""Inches."""
LETTER = 0.067
"""Inches of an average letter of a span's label."""
NARROW = 0.08
"""Inches; lines between narrower spans would hide them."""
MARGINS = 1.1
"""Inches beside the axes."""
LONGEST_NAME = 90
"""Letters; a longer name of a file is shortened in its middle."""
QUIET, DOUBT, WAVE = "#ECECEC", "#FFFFFF", "#333333"
HATCH = "/////"


def picture(heard: Heard, format: str, dpi: int) -> bytes:
    """Draw it; the same recording gives the same bytes.

    Args:
        heard: what is drawn.
        format: `png`, `svg` or `pdf`.
        dpi: pixels an inch, of a PNG.
    """
    data = io.BytesIO()
    # Else the drawing would say when it was made.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
    with _settings():
        draw(heard).savefig(data, format=format, dpi=dpi, metadata=metadata)
    return data.getvalue()


def draw(heard: Heard) -> Figure:
    """The figure; four axes that share their time."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    told, wave, scores, steps = figure.subplots(
        4, sharex=True, height_ratios=(0.4, 1.6, 2.0, 0.28)
    )
    of = colours(heard.labels)
    _told(told, heard, of)
    _wave(wave, heard, of)
    _scores(scores, heard, of)
    _steps(steps, heard, of)
    length_s = heard.end_s - heard.start_s
    tick = tick_s(length_s)
    steps.set_xlim(heard.start_s, heard.end_s)
    steps.xaxis.set_major_locator(MultipleLocator(tick))
    steps.xaxis.set_major_formatter(
        FuncFormatter(lambda s, _: clock(max(0.0, s), digits=int(tick < 1)))
    )
    steps.set_xlabel("time (m:ss)" if heard.end_s < 3600 else "time (h:mm:ss)")
    for axes in (told, wave, scores):
        axes.tick_params(bottom=False)
    for axes in (told, wave, steps):
        axes.set_yticks([])
    for axes in (told, wave, scores, steps):
        axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
        axes.yaxis.label.set(rotation=0, ha="right", va="center")
    figure.align_ylabels()
    told.set_title(_short(heard.name), loc="left", fontweight="bold")
    told.set_title(f"model {heard.model}", loc="right", fontsize="medium")
    figure.legend(
        handles=[
            *(Patch(color=of[label], label=label) for label in heard.labels),
            Patch(facecolor=DOUBT, edgecolor="#777777", hatch=HATCH, label="uncertain"),
            Patch(facecolor=QUIET, edgecolor="#BBBBBB", label="no speech"),
        ],
        loc="outside lower center",
        ncols=10,
        frameon=False,
    )
    return figure


@contextmanager
def _settings() -> Iterator[None]:
    # Names of files may hold dollars, which are no mathematics here.
    own: Any = {
        "text.parse_math": False,
        "svg.hashsalt": "ser-stream",
        "hatch.linewidth": 0.6,
    }
    with matplotlib.rc_context(own), warnings.catch_warnings():
        # In a name in a script that the font lacks, boxes stand for letters.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        yield


def _told(axes: Axes, heard: Heard, of: dict[str, str]) -> None:
    """The steady emotions, each named where there is room."""
    inches = (WIDTH - MARGINS) / (heard.end_s - heard.start_s)
    axes.set_ylim(0, 1)
    axes.set_ylabel("emotion")
    for emotion in heard.emotions:
        start = max(emotion.start_s, heard.start_s)
        end = min(emotion.end_s, heard.end_s)
        colour = of[emotion.label]
        axes.axvspan(start, end, color=colour, lw=0)
        if (end - start) * inches > NARROW:
            axes.axvline(start, color="white", lw=1)
        for text in (f"{emotion.label} {emotion.confidence:.2f}", emotion.label):
            if len(text) * LETTER < (end - start) * inches:
                middle = (start + end) / 2
                axes.text(
                    middle,
                    0.5,
                    text,
                    color=ink(colour),
                    fontsize=8.5,
                    ha="center",
                    va="center",
                    clip_on=True,
                )
                break


def _wave(axes: Axes, heard: Heard, of: dict[str, str]) -> None:
    """The waveform, on what was told and what was quiet."""
    times, low, high = heard.wave
    # What is soft is seen too, and what is silent is not drawn as noise.
    peak = max(0.02, float(np.abs([low, high]).max())) * 1.05
    axes.set_ylim(-peak, peak)
    _shade_quiet(axes, heard)
    for emotion in heard.emotions:
        axes.axvspan(
            emotion.start_s, emotion.end_s, color=of[emotion.label], alpha=0.35, lw=0
        )
    axes.fill_between(times, low, high, color=WAVE, lw=0.4)
    axes.set_ylabel("waveform")


def _scores(axes: Axes, heard: Heard, of: dict[str, str]) -> None:
    """The scores of each step, on top of each other; they sum to 1."""
    axes.set_ylim(0, 1)
    _shade_quiet(axes, heard)
    tops = np.cumsum(heard.scores, axis=1)
    floor = 0 * tops[:, 0]
    for label, top in zip(heard.labels, tops.T, strict=True):
        axes.stairs(top, heard.edges, baseline=floor, fill=True, color=of[label])
        floor = top
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("scores")


def _steps(axes: Axes, heard: Heard, of: dict[str, str]) -> None:
    """What each step says by itself: its likeliest emotion, or that it is not sure."""
    axes.set_ylim(0, 1)
    axes.set_ylabel("steps")
    _shade_quiet(axes, heard)
    spoken = ~np.isnan(heard.scores[:, 0])
    best = np.where(spoken, heard.scores.argmax(axis=1), -1)
    sure = heard.uncertain < 0.5
    for index, label in enumerate(heard.labels):
        _fill(axes, heard, (best == index) & sure, color=of[label])
    doubt = spoken & ~sure
    _fill(axes, heard, doubt, facecolor=DOUBT, edgecolor="#777777", hatch=HATCH)


def _shade_quiet(axes: Axes, heard: Heard) -> None:
    _fill(axes, heard, np.isnan(heard.scores[:, 0]), color=QUIET)


def _fill(axes: Axes, heard: Heard, where: NDArray[np.bool_], **style: Any) -> None:
    values = np.where(where, 1.0, np.nan)
    low, high = axes.get_ylim()
    axes.stairs(
        values * high, heard.edges, baseline=values * low, fill=True, lw=0, **style
    )


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    half = LONGEST_NAME // 2
    return f"{name[:half]} … {name[-half:]}"
