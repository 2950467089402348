"""SAVEE in its publisher's layout: AudioData/DC/a01.wav; or flat: DC_a01.wav.

The letters of the name are the emotion, the number is the sentence. The same number
under another emotion is in general another text, so the sentence is both.
"""

import re
from pathlib import Path

from training.corpora.utterance import Utterance

LAYOUT = "DC/a01.wav or DC_a01.wav"
EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fear",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprise",
}
SPEAKERS = {"DC", "JE", "JK", "KL"}
_NAME = re.compile(r"(?:(?P<speaker>[A-Z]{2})_)?(?P<code>sa|su|[adfhn])(?P<number>\d+)")


def read_savee(folder: Path) -> list[Utterance]:
    """The recordings under `folder`, however deep; empty where none are."""
    result = []
    for path in sorted(folder.glob("**/*.wav")):
        name = _NAME.fullmatch(path.stem)
        speaker = (name and name["speaker"]) or path.parent.name
        if name is None or speaker not in SPEAKERS:
            continue
        sentence = name["code"] + name["number"]
        result.append(
            Utterance(
                "savee",
                path,
                speaker,
                "male",
                EMOTIONS[name["code"]],
                sentence,
                "English (British)",
                f"{speaker}_{sentence}",
            )
        )
    return result
