"""RAVDESS speech in its publisher's layout: Actor_12/03-01-06-01-02-01-12.wav.

Fields of the name: modality, channel, emotion, intensity, statement, repetition, actor.
"""

from pathlib import Path

from training.corpora.utterance import Utterance

LAYOUT = "Actor_12/03-01-06-01-02-01-12.wav"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}


def read_ravdess(folder: Path) -> list[Utterance]:
    """The audio-only speech files under `folder`; empty where none are."""
    result = []
    for path in sorted(folder.glob("**/Actor_*/03-01-*.wav")):
        fields = path.stem.split("-")
        if len(fields) != 7 or fields[2] not in EMOTIONS or not fields[6].isdigit():
            continue
        sex = "male" if int(fields[6]) % 2 else "female"
        result.append(
            Utterance(
                "ravdess",
                path,
                f"Actor_{fields[6]}",
                sex,
                EMOTIONS[fields[2]],
                fields[4],
                "English (North American)",
            )
        )
    return result
