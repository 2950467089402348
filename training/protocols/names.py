"""Classes, corpora and pairs of corpora, as the paper and its tables name them."""

from training.corpora.known import KNOWN, PAPER

PAPER_CLASSES = ("angry", "fear", "happy", "neutral", "sad")
"""The five classes of the paper's cross-corpus experiments."""
CORPORA = {name: corpus.paper for name, corpus in PAPER.items()}
"""In the paper's order."""


def place_name(place: str) -> str:
    """`casia` -> `CASIA`, `casia-emodb` -> `CASIA to EMODB`; others by their titles."""
    source, _, target = place.partition("-")
    if source in CORPORA and target in CORPORA:
        return f"{CORPORA[source]} to {CORPORA[target]}"
    if place in CORPORA:
        return CORPORA[place]
    return KNOWN[place].title if place in KNOWN else place
