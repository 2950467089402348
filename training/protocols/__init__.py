"""Which clips are trained on and which are scored, and what others published."""

from pathlib import Path

from training.protocols.fold import Fold

PAPER_TABLES = Path(__file__).with_name("paper_tables.csv")
"""The numbers of CTL-MTNet's tables, the authors' own re-run, and EmoBox's Table 4:
table, method, source, target, metric, value (percent)."""

__all__ = ["PAPER_TABLES", "Fold"]
