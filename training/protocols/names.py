"""Classes, corpora and pairs of corpora, as the paper and its tables name them."""

PAPER_CLASSES = ("angry", "fear", "happy", "neutral", "sad")
"""The five classes of the paper's cross-corpus experiments."""
CORPORA = {"casia": "CASIA", "emodb": "EMODB", "savee": "SAVEE", "ravdess": "RAVDESS"}
"""In the paper's order."""


def place_name(place: str) -> str:
    """`casia` -> `CASIA`, `casia-emodb` -> `CASIA to EMODB`."""
    source, _, target = place.partition("-")
    if source in CORPORA and target in CORPORA:
        return f"{CORPORA[source]} to {CORPORA[target]}"
    return CORPORA.get(place, place)
