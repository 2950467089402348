"""Corpora as their publishers pack them: the path of a file says what it holds."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.corpora.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Layout:
    """How one publisher names folders and files."""

    example: str
    """A path, to recognise the layout by."""
    paths: tuple[str, ...]
    """Globs; the first that finds a recording counts."""
    name: str
    """The end of a path, a regular expression with the groups `speaker`, `emotion` and
    `sentence`."""
    emotions: dict[str, str]
    sex: Callable[[str], str | None]
    """Of a speaker; None of one that the corpus has not."""
    language: str
    speaker: str = "{}"
    clip: str = ""
    """Of the groups, where the file's name does not tell it from others."""

    def read(self, corpus: str, folder: Path) -> list[Utterance]:
        """The recordings under `folder`; empty where none are."""
        for paths in self.paths:
            found = [self._utterance(corpus, p) for p in sorted(folder.glob(paths))]
            if recordings := [u for u in found if u is not None]:
                return recordings
        return []

    def _utterance(self, corpus: str, path: Path) -> Utterance | None:
        match = re.search(self.name, f"/{path.as_posix()}")
        if match is None or match["emotion"] not in self.emotions:
            return None
        sex = self.sex(match["speaker"])
        if sex is None:
            return None
        return Utterance(
            corpus,
            path,
            self.speaker.format(match["speaker"]),
            sex,
            self.emotions[match["emotion"]],
            match["sentence"],
            self.language,
            self.clip.format(**match.groupdict()),
        )


_CASIA_SEX = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "ZhaoZuoxiang": "male",
}
_EMODB_MEN = {"03", "10", "11", "12", "15"}
LAYOUTS = {
    # The number (201 to 250) is the sentence, the same for every speaker and emotion.
    "casia": Layout(
        "liuchanhg/angry/201.wav",
        ("**/*.wav",),
        r"/(?P<speaker>[^/]+)/(?P<emotion>[^/]+)/(?P<sentence>\d+)\.wav$",
        {e: e for e in ("angry", "fear", "happy", "neutral", "sad", "surprise")},
        _CASIA_SEX.get,
        "Mandarin",
        clip="{speaker}_{emotion}_{sentence}",
    ),
    # The last character is the version.
    "emodb": Layout(
        "wav/03a01Fa.wav",
        ("wav/*.wav", "*.wav"),
        r"/(?P<speaker>[^/]{2})(?P<sentence>[^/]{3})(?P<emotion>[A-Z])[^/]\.wav$",
        {
            "W": "angry",
            "L": "boredom",
            "E": "disgust",
            "A": "fear",
            "F": "happy",
            "T": "sad",
            "N": "neutral",
        },
        lambda speaker: "male" if speaker in _EMODB_MEN else "female",
        "German",
    ),
    # Modality, channel, emotion, intensity, statement, repetition, actor. 03-01 is
    # audio alone, and speech.
    "ravdess": Layout(
        "Actor_12/03-01-06-01-02-01-12.wav",
        ("**/Actor_*/03-01-*.wav",),
        r"/03-01-(?P<emotion>\d+)-\w+-(?P<sentence>\w+)-\w+-(?P<speaker>\d+)\.wav$",
        {
            "01": "neutral",
            "02": "calm",
            "03": "happy",
            "04": "sad",
            "05": "angry",
            "06": "fear",
            "07": "disgust",
            "08": "surprise",
        },
        lambda speaker: "male" if int(speaker) % 2 else "female",
        "English (North American)",
        speaker="Actor_{}",
    ),
    # The same number under another emotion is in general another text, so the sentence
    # is both.
    "savee": Layout(
        "DC/a01.wav or DC_a01.wav",
        ("**/*.wav",),
        r"/(?P<speaker>DC|JE|JK|KL)[/_](?P<sentence>(?P<emotion>sa|su|[a-z])\d+)\.wav$",
        {
            "a": "angry",
            "d": "disgust",
            "f": "fear",
            "h": "happy",
            "n": "neutral",
            "sa": "sad",
            "su": "surprise",
        },
        lambda _: "male",
        "English (British)",
        clip="{speaker}_{sentence}",
    ),
}
"""By the name of the corpus's folder."""
