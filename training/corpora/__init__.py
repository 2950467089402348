"""Folders of recordings -> rows of `Utterance`.

load                            any corpus, by the layout that it has
published                       CASIA, EmoDB, RAVDESS, SAVEE as published
manifest, audformat_database    any corpus as a table, or as an audformat database
utterance, labels               one recording; the common names of emotions
limit                           a few clips of each kind, for a trial
check, counts, report           is a corpus whole: `python -m training corpora`
"""

from training.corpora.load import load_corpora
from training.corpora.utterance import Utterance

__all__ = ["Utterance", "load_corpora"]
