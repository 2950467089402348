"""Voices that a user had kept, on disk: one file, whatever the model."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ser_stream.atomic_file import delete_file, replace_file
from ser_stream.errors import ConfigError, SinkError
from ser_stream.paths import state_folder
from ser_stream.pipeline.voices.clusters import Voice
from ser_stream.pipeline.voices.encoder import GRAPH_SHA256, N_EMBEDDING

FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeptVoice:
    """What a person sounds like: no sound, but enough to know them again."""

    name: str
    total: tuple[float, ...]
    """Sum of embeddings, (256,)."""
    weight: float
    """How many they are."""

    @staticmethod
    def of(voice: Voice) -> "KeptVoice":
        """A voice as it is kept.

        Raises:
            ConfigError: if it has no name.
        """
        if voice.name is None:
            raise ConfigError(
                f"speaker {voice.number} has no name to be kept by; "
                f"`ser-stream speakers name {voice.number} NAME` gives one"
            )
        total = tuple(round(float(x), 5) for x in voice.total)
        return KeptVoice(voice.name, total, round(voice.weight, 2))


def voice_path() -> Path:
    """Where they are kept."""
    return state_folder() / "speakers" / "voices.json"


def read_voices() -> list[KeptVoice]:
    """All that are kept; none if there is no file.

    Raises:
        ConfigError: if the file is none of ours, or damaged.
    """
    path = voice_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["format"], content["encoder"]) != (FORMAT, GRAPH_SHA256):
            raise ValueError("it is of another version")
        voices = [
            KeptVoice(one["name"], tuple(one["total"]), one["weight"])
            for one in content["voices"]
        ]
        for voice in voices:
            _check(voice)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{path} cannot be read ({why}); delete it, and keep speakers again"
        ) from None
    return voices


def change_voices(how: Callable[[list[KeptVoice]], list[KeptVoice]]) -> None:
    """Read them, change them and write them, readable for nobody else.

    Raises:
        ConfigError: if they cannot be read.
        SinkError: if they cannot be written; what was there stays.
    """
    path = voice_path()
    voices = how(read_voices())
    try:
        if not voices:
            delete_file(path)
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "encoder": GRAPH_SHA256,
            "voices": [asdict(voice) for voice in voices],
        }
        replace_file(path, json.dumps(content) + "\n", mode=0o600)
    except OSError as error:
        raise SinkError(f"{path}: {error.strerror}") from None


def keep(voice: KeptVoice) -> None:
    """Keep a voice, in the place of one of the same name."""
    change_voices(
        lambda voices: [*(one for one in voices if one.name != voice.name), voice]
    )


def erase(name: str) -> bool:
    """Whether a voice of this name was kept; it is not any more."""
    there = any(one.name == name for one in read_voices())
    if there:
        change_voices(lambda voices: [one for one in voices if one.name != name])
    return there


def _check(voice: KeptVoice) -> None:
    total = np.array(voice.total, np.float64)
    name: object = voice.name
    if total.shape != (N_EMBEDDING,) or not isinstance(name, str):
        raise ValueError("an entry is none")
    if not (np.isfinite(total).all() and 0 < voice.weight < 1e6):
        raise ValueError("a number is none")
