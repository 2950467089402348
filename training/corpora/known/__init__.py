"""The corpora that the project knows by name, each in a file of its own.

Four are the paper's, in its order; its Tables S1 and S2 give their classes, clips and
speakers. Counts by emotion and speaker are those of the releases themselves.
"""

from training.corpora.corpus import Corpus
from training.corpora.known.casia import CASIA
from training.corpora.known.crema_d import CREMA_D
from training.corpora.known.emodb import EMODB
from training.corpora.known.emotale import EMOTALE
from training.corpora.known.indian_emo_speech import INDIAN_EMO_SPEECH
from training.corpora.known.picovoice_neutral import PICOVOICE_NEUTRAL
from training.corpora.known.ravdess import RAVDESS
from training.corpora.known.savee import SAVEE

__all__ = ["KNOWN", "PAPER"]

KNOWN: dict[str, Corpus] = {
    corpus.folder: corpus
    for corpus in (
        CASIA,
        EMODB,
        SAVEE,
        RAVDESS,
        CREMA_D,
        EMOTALE,
        INDIAN_EMO_SPEECH,
        PICOVOICE_NEUTRAL,
    )
}
"""By the name of the corpus's folder."""
PAPER = {name: corpus for name, corpus in KNOWN.items() if corpus.paper}
"""Those of the paper's tables."""
