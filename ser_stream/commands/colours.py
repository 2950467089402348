"""A colour for each emotion, which the colour-blind can tell apart too.

Okabe and Ito, "Color Universal Design", 2008.
"""

from collections.abc import Sequence

PALETTE = (
    "#D55E00", "#0072B2", "#F0E442", "#CC79A7", "#56B4E9", "#009E73", "#E69F00",
    "#7F7F7F",
)  # fmt: skip
USUAL = {
    "angry": "#D55E00",
    "anger": "#D55E00",
    "sad": "#0072B2",
    "sadness": "#0072B2",
    "happy": "#F0E442",
    "happiness": "#F0E442",
    "joy": "#F0E442",
    "fear": "#CC79A7",
    "neutral": "#56B4E9",
    "disgust": "#009E73",
    "surprise": "#E69F00",
}
"""The same emotion looks the same in pictures by different models."""


def colours(labels: Sequence[str]) -> dict[str, str]:
    """By label; of more than eight, some share a colour."""
    found = {label: USUAL[label] for label in labels if label in USUAL}
    left = [c for c in PALETTE if c not in found.values()] or list(PALETTE)
    others = [label for label in labels if label not in found]
    return found | {x: left[n % len(left)] for n, x in enumerate(others)}


def ink(colour: str) -> str:
    """Black or white: what can be read on a colour, `#RRGGBB`."""
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "white"
