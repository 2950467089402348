"""Licence and credit of the corpora a model may have been trained on."""

from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import DEFAULT_MODEL
from training.recipe.config import TrainConfig

UNKNOWN = "unknown"

CORPORA = {
    "emodb": {
        "name": "EmoDB",
        "licence": "CC0-1.0",
        "language": "German",
        "any_use": True,
        "citation": (
            "F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss, "
            '"A Database of German Emotional Speech", Interspeech 2005, '
            "doi:10.21437/Interspeech.2005-446"
        ),
    },
    "crema-d": {
        "name": "CREMA-D",
        "licence": "ODbL-1.0",
        "language": "English",
        "any_use": True,
        "notice": (
            "Contains information from CREMA-D (Crowd-sourced Emotional Multimodal "
            "Actors Dataset), made available under the Open Database License."
        ),
        "citation": (
            "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, "
            '"CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE '
            "Transactions on Affective Computing 5(4), 2014, "
            "doi:10.1109/TAFFC.2014.2336244"
        ),
    },
    "ravdess": {
        "name": "RAVDESS",
        "licence": "CC BY-NC-SA 4.0",
        "language": "English",
        "any_use": False,
        "notice": (
            "Contains what was learned from RAVDESS (Ryerson Audio-Visual Database of "
            "Emotional Speech and Song), Creative Commons Attribution-NonCommercial-"
            "ShareAlike 4.0: not for commercial use."
        ),
        "citation": (
            'S. R. Livingstone, F. A. Russo, "The Ryerson Audio-Visual Database of '
            'Emotional Speech and Song (RAVDESS)", PLoS ONE 13(5): e0196391, 2018, '
            "doi:10.1371/journal.pone.0196391"
        ),
    },
}
"""By folder name. A corpus that is not here is called by its folder's name, and its
licence `unknown`."""


def describe(name: str) -> dict[str, object]:
    """What manifest and card say of a corpus."""
    unknown = {"name": name, "licence": UNKNOWN, "any_use": False}
    return {"folder": name, **CORPORA.get(name, unknown)}


def described(config: TrainConfig) -> list[dict[str, object]]:
    """The corpora of a training, each with the classes taken from it."""
    return [
        {**describe(corpus.name), "classes": list(corpus.only or config.labels)}
        for corpus in config.corpora
    ]


def bundle_licence(names: list[str]) -> str:
    """Licence of the weights: MIT, unless a corpus forbids some use."""
    bound = [info for info in map(describe, names) if not info["any_use"]]
    if not bound:
        return "MIT"
    said = ", ".join(f"{info['name']} ({info['licence']})" for info in bound)
    if any(info["licence"] == UNKNOWN for info in bound):
        return f"unknown, do not pass on: trained on {said}"
    return f"non-commercial: trained on {said}"


def check_name(name: str, names: list[str]) -> None:
    """Refuse to call a bundle `open` that is not.

    Raises:
        ModelError: if it is so called and a corpus does not allow any use.
    """
    bound = [corpus for corpus in names if not describe(corpus)["any_use"]]
    if name == DEFAULT_MODEL and bound:
        raise ModelError(
            f"a bundle called {name} may be trained only on corpora that allow any "
            f"use, and {', '.join(bound)} does not; give another --name"
        )
