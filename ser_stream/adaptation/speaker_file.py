"""What is known of speakers, on disk: one JSON file for each network.

Features of another network mean something else.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.adaptation.known_speakers import Enrolment, Example, KnownSpeakers
from ser_stream.atomic_file import PART, delete_file, replace_file
from ser_stream.errors import ConfigError, ModelError, SinkError
from ser_stream.paths import state_folder
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.speaker import KnownVoice

FORMAT = 1
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpeakerFile:
    """Where what is known for one network is kept."""

    path: Path
    model: str
    """Name of the bundle."""
    labels: tuple[str, ...]
    layer: LastLayer
    _network: str = field(repr=False)

    @staticmethod
    def of(bundle: Bundle, layer: LastLayer | None) -> "SpeakerFile":
        """The file of a bundle.

        Raises:
            ModelError: if the model is not told of its speakers, or does not show its
                last layer, so that it cannot be taught.
        """
        if layer is None:
            raise ModelError(
                f"model {bundle.name} cannot be taught: its graphs do not show their "
                "last layer; allowed: the models that come with this version, and what "
                "it exports with speaker_mean"
            )
        network = _network(bundle)
        name = f"{bundle.name}-{network[:12]}.json"
        path = speakers_folder() / name.replace("/", "_")
        return SpeakerFile(path, bundle.name, bundle.labels, layer, network)

    def voice(self, known: KnownSpeakers) -> KnownVoice | None:
        """What a stream of the model begins with; None where nothing is known."""
        return known.voice(self.layer, self.labels)

    def described(self, known: KnownSpeakers, voice: KnownVoice | None) -> Answer:
        """What is known, where it is kept, and whether examples move the model."""
        enrolled = [
            {"name": one.name, "seconds": round(one.seconds, 1)}
            for one in known.enrolled
        ]
        return {
            "model": self.model,
            "file": str(self.path),
            "enrolled": enrolled,
            "examples": known.labels,
            "taught": voice is not None and voice.taught is not None,
        }

    def read(self) -> KnownSpeakers:
        """What is known; nothing if there is no file.

        Raises:
            ConfigError: if the file is none of ours, or damaged.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return KnownSpeakers()
        except (OSError, ValueError) as error:
            raise self._damaged(error) from None
        try:
            if (content["format"], content["network"]) != (FORMAT, self._network):
                raise ValueError("it is of another version or network")
            known = KnownSpeakers(
                tuple(Enrolment(**_hashable(one)) for one in content["enrolled"]),
                tuple(Example(**_hashable(one)) for one in content["examples"]),
            )
            for one in known.parts:
                _check(one, len(self.layer.mean))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(error) from None
        return known

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: neither daemon nor command.

        Raises:
            SinkError: if the folder cannot be written.
        """
        lock = self.path.with_suffix(".lock")
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = lock.open("ab")
        except OSError as error:
            raise SinkError(f"{lock}: {error.strerror}") from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def change(self, how: Callable[[KnownSpeakers], KnownSpeakers]) -> KnownSpeakers:
        """Read it, change it and write it, as one; what is known then.

        Raises:
            ConfigError: if it cannot be read, or `how` refuses; nothing has changed.
            SinkError: if it cannot be written; likewise.
        """
        with self.changing():
            known = how(self.read())
            self.write(known)
        return known

    def write(self, known: KnownSpeakers) -> None:
        """Keep it, readable for nobody else; without anything known, delete the file.

        Raises:
            SinkError: if it cannot be written; what was there stays.
        """
        content: dict[str, Any] = {"format": FORMAT, "network": self._network}
        content |= asdict(known)
        try:
            if known == KnownSpeakers():
                delete_file(self.path)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.path, json.dumps(content) + "\n", mode=0o600)
        except OSError as error:
            raise SinkError(f"{self.path}: {error.strerror}") from None

    def _damaged(self, error: Exception) -> ConfigError:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return ConfigError(
            f"{self.path} cannot be read ({why}); delete it, and enroll and teach again"
        )


def speakers_folder() -> Path:
    """Where everything that is known of speakers is kept."""
    return state_folder() / "speakers"


def forget_everything() -> None:
    """Delete what is known for every model, also of those that are gone.

    And voices that are kept, and what a kill left half written of either.

    Raises:
        SinkError: if something cannot be deleted.
    """
    folder = speakers_folder()
    for path in (*folder.glob("*.json"), *folder.glob(f"{PART}*")):
        try:
            delete_file(path)
        except OSError as error:
            raise SinkError(f"{path}: {error.strerror}") from None


def _network(bundle: Bundle) -> str:
    """SHA-256 of what makes the features; thresholds and calibration do not."""
    graphs = {name: bundle.manifest["files"][name] for name in (ENCODER, HEAD)}
    return hashlib.sha256(json.dumps(graphs, sort_keys=True).encode()).hexdigest()


def _hashable(one: Answer) -> Answer:
    # JSON has lists, which would not compare equal.
    return {**one, "features": tuple(one["features"])}


def _check(one: Enrolment | Example, n_features: int) -> None:
    with np.errstate(over="ignore"):
        features = np.array(one.features, np.float32)
    name: object = one.name if isinstance(one, Enrolment) else one.label
    if features.shape != (n_features,):
        raise ValueError(f"an entry has {features.shape} features")
    if not (np.isfinite(features).all() and 0 < one.seconds < 1e6):
        raise ValueError("a number is none")
    lesson: object = getattr(one, "lesson", 0)
    if not isinstance(name, str) or not isinstance(lesson, int):
        raise TypeError("a name or a lesson is none")
