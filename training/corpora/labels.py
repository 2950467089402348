"""The common names of emotions, and the other words that corpora have for them."""

LABELS = (
    "angry",
    "boredom",
    "calm",
    "disgust",
    "fear",
    "happy",
    "neutral",
    "sad",
    "surprise",
)

SYNONYMS = {
    "anger": "angry",
    "bored": "boredom",
    "calmness": "calm",
    "disgusted": "disgust",
    "anxiety": "fear",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "neutrality": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}


def common_label(word: str) -> str | None:
    """The one of `LABELS` that `word` stands for; None where it is none of them."""
    key = word.strip().lower()
    return key if key in LABELS else SYNONYMS.get(key)
