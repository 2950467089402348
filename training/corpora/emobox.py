"""The test folds of EmoBox (Ma et al., Interspeech 2024): all clips of four corpora."""

import csv
from pathlib import Path

EMOBOX_FOLDS = Path(__file__).parents[1] / "protocols" / "emobox_folds.csv"


def emobox_fold_of(corpus: str, table: Path = EMOBOX_FOLDS) -> dict[str, int]:
    """The test fold of every clip of a corpus, by `Utterance.clip`; empty of others."""
    with table.open(newline="", encoding="utf-8") as file:
        return {
            Path(row["file"]).stem: int(row["test_fold"])
            for row in csv.DictReader(file)
            if row["corpus"] == corpus
        }
