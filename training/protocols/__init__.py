"""Which clips are trained on and which are scored, and what others published.

fold     one split of a list of utterances
single   within one corpus: `paper-10fold`, `emobox`, `loso`
cross    from one corpus to another
names    classes, corpora and pairs, as the paper names them
"""

from pathlib import Path

from training.protocols.fold import Fold

PAPER_TABLES = Path(__file__).with_name("paper_tables.csv")
"""The numbers of CTL-MTNet's tables, the authors' own re-run, and EmoBox's Table 4:
table, method, source, target, metric, value (percent)."""

__all__ = ["PAPER_TABLES", "Fold"]
