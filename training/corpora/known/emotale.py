"""EmoTale: Danish and English, 18 speakers, five enacted emotions, 800 clips."""

from training.corpora.corpus import Corpus, Counts, Use

EMOTIONS = ("angry", "boredom", "happy", "neutral", "sad")
DANISH_ALONE = ("014", "015", "018", "019")
"""The others said everything in both languages."""
BOTH = [f"{i:03d}" for i in (1, *range(3, 14), 16, 17)]

EMOTALE = Corpus(
    folder="emotale",
    title="EmoTale",
    languages=("Danish", "English"),
    licence="none given; research invited",
    use=Use.RESEARCH,
    citation=(
        'Hjuler, Clemmensen, Das, "EmoTale: An Enacted Speech-emotion Dataset in '
        'Danish", ASRU 2025'
    ),
    counts=Counts(
        dict.fromkeys(EMOTIONS, 160),
        {
            **{f"EMOTALE_{speaker}": 50 for speaker in BOTH},
            **{f"EMOTALE_{speaker}": 25 for speaker in DANISH_ALONE},
        },
    ),
)
