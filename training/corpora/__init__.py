"""Folders of recordings -> rows of `Utterance`.

load                            any corpus, by the layout that it has
known/                          what is known of eight corpora: one file each
corpus, layout                  what is said of a corpus; how its publisher packs it
manifest, audformat_database    any corpus as a table, or as an audformat database
utterance, labels               one recording; the common names of emotions
limit                           a few clips of each kind, for a trial
clips_hash                      what tells one set of clips from another
check, report                   is a corpus whole: `python -m training corpora`
emobox                          EmoBox's folds, which list every clip of four corpora
"""

from training.corpora.load import load_corpora
from training.corpora.utterance import Utterance

__all__ = ["Utterance", "load_corpora"]
