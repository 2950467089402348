"""What the publications say each corpus holds: the paper's Tables S1 and S2.

The tables give the classes, clips and speakers; the counts by emotion and speaker are
those of the releases themselves, the names of the clips those of EmoBox's folds (Ma et
al., Interspeech 2024), which list every one.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

EMOBOX_FOLDS = Path(__file__).parents[1] / "protocols" / "emobox_folds.csv"


@dataclass(frozen=True, slots=True)
class Published:
    """The published counts of clips."""

    emotions: dict[str, int]
    speakers: dict[str, int]
    doubled: frozenset[frozenset[str]] = frozenset()
    """Names of clips that are one recording in the release itself."""

    @property
    def clips(self) -> int:
        return sum(self.emotions.values())


PUBLISHED = {
    "casia": Published(
        dict.fromkeys(("angry", "fear", "happy", "neutral", "sad", "surprise"), 200),
        dict.fromkeys(("ZhaoZuoxiang", "liuchanhg", "wangzhe", "zhaoquanyin"), 300),
    ),
    "emodb": Published(
        {
            "angry": 127,
            "boredom": 81,
            "disgust": 46,
            "fear": 69,
            "happy": 71,
            "neutral": 79,
            "sad": 62,
        },
        {
            "03": 49,
            "08": 58,
            "09": 43,
            "10": 38,
            "11": 55,
            "12": 35,
            "13": 61,
            "14": 69,
            "15": 56,
            "16": 71,
        },
    ),
    "savee": Published(
        {
            "angry": 60,
            "disgust": 60,
            "fear": 60,
            "happy": 60,
            "neutral": 120,
            "sad": 60,
            "surprise": 60,
        },
        dict.fromkeys(("DC", "JE", "JK", "KL"), 120),
    ),
    "ravdess": Published(
        {
            "angry": 192,
            "calm": 192,
            "disgust": 192,
            "fear": 192,
            "happy": 192,
            "neutral": 96,
            "sad": 192,
            "surprise": 192,
        },
        {f"Actor_{actor:02d}": 60 for actor in range(1, 25)},
        # Actor 07, happy, "Dogs": repetitions 1 and 2 hold the same samples.
        frozenset({frozenset({"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"})}),
    ),
}


def emobox_fold_of(corpus: str, table: Path = EMOBOX_FOLDS) -> dict[str, int]:
    """The test fold of every clip of a published corpus, by `Utterance.clip`."""
    with table.open(newline="", encoding="utf-8") as file:
        return {
            Path(row["file"]).stem: int(row["test_fold"])
            for row in csv.DictReader(file)
            if row["corpus"] == corpus
        }
