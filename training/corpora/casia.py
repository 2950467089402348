"""CASIA in its publisher's layout: liuchanhg/angry/201.wav.

The folders are the speaker and the emotion; the number (201 to 250) is the sentence,
the same for every speaker and emotion.
"""

from pathlib import Path

from training.corpora.utterance import Utterance

LAYOUT = "liuchanhg/angry/201.wav"
EMOTIONS = {
    "angry": "angry",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "surprise",
}
SEX = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "ZhaoZuoxiang": "male",
}


def read_casia(folder: Path) -> list[Utterance]:
    """The recordings under `folder`, however deep; empty where none are."""
    result = []
    for path in sorted(folder.glob("**/*.wav")):
        emotion, speaker = path.parent.name, path.parent.parent.name
        if speaker not in SEX or emotion not in EMOTIONS or not path.stem.isdigit():
            continue
        result.append(
            Utterance(
                "casia",
                path,
                speaker,
                SEX[speaker],
                EMOTIONS[emotion],
                path.stem,
                "Mandarin",
                f"{speaker}_{emotion}_{path.stem}",
            )
        )
    return result
