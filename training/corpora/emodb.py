"""EmoDB in its publisher's layout: wav/03a01Fa.wav.

Characters of the name: 1-2 speaker, 3-5 sentence, 6 emotion, 7 version.
"""

from pathlib import Path

from training.corpora.utterance import Utterance

LAYOUT = "wav/03a01Fa.wav"
EMOTIONS = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
MALE = {"03", "10", "11", "12", "15"}


def read_emodb(folder: Path) -> list[Utterance]:
    """The recordings under `folder` or `folder/wav`; empty where none are."""
    root = folder / "wav" if (folder / "wav").is_dir() else folder
    result = []
    for path in sorted(root.glob("*.wav")):
        name = path.stem
        if len(name) != 7 or name[5] not in EMOTIONS:
            continue
        sex = "male" if name[:2] in MALE else "female"
        result.append(
            Utterance(
                "emodb", path, name[:2], sex, EMOTIONS[name[5]], name[2:5], "German"
            )
        )
    return result
