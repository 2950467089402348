"""Licence and credit of the corpora a model may have been trained on."""

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
    unknown = {"name": name, "licence": "unknown", "any_use": False}
    return {"folder": name, **CORPORA.get(name, unknown)}


def bundle_licence(names: list[str]) -> str:
    """Licence of the weights: MIT, unless a corpus forbids some use."""
    bound = [
        str(info["licence"])
        for name in names
        if not (info := describe(name))["any_use"]
    ]
    if not bound:
        return "MIT"
    return f"research only: trained on data under {', '.join(bound)}"
