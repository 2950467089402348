"""Folders of recordings -> rows of `Utterance`."""

from training.corpora.load import load_corpora
from training.corpora.utterance import Utterance

__all__ = ["Utterance", "load_corpora"]
