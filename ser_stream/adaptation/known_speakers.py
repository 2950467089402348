"""What users have said of their own voices: enrolled speech, and examples by label.

One JSON file for each network, as features of another mean something else. It holds no
sound, only what the network made of it: some hundred numbers for each example.
"""

import fcntl
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.atomic_file import replace_file
from ser_stream.errors import ConfigError, ModelError, SinkError, SourceError
from ser_stream.paths import state_folder
from ser_stream.pipeline.bundle import ENCODER, HEAD, Bundle
from ser_stream.pipeline.last_layer import LastLayer, taught
from ser_stream.pipeline.speaker import KnownVoice
from ser_stream.pipeline.values import FloatArray

FORMAT = 1
NEUTRAL = "neutral"
MOST_EXAMPLES = 20
"""Of each label; older ones give way."""
MOST_NAMES = 50
LONGEST_NAME = 64
LEAST_S = 1.0
"""An example is no shorter, seconds of speech."""
LEAST_ENROLLED_S = 5.0
"""Less talk than this says little of a voice."""
MOST_ENROLLED_S = 120.0
"""What all of it counts for at most, seconds: what is heard live is to move the mean
still."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Ordinary talk of a person."""

    name: str
    features: tuple[float, ...]
    """Mean over the speech, (n_features,)."""
    seconds: float

    @property
    def emotion(self) -> str:
        """What ordinary talk is taken for."""
        return NEUTRAL


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch of speech that somebody has labelled."""

    label: str
    features: tuple[float, ...]
    seconds: float
    lesson: int = 0
    """Those that were taught at once have the same number."""

    @property
    def emotion(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class KnownSpeakers:
    """All that was said for one network; unchanging, each change makes another."""

    enrolled: tuple[Enrolment, ...] = ()
    examples: tuple[Example, ...] = ()

    def with_enrolled(self, one: Enrolment) -> "KnownSpeakers":
        """With a person, in the place of one of the same name.

        Raises:
            ConfigError: if there are too many.
        """
        name = one.name
        others = tuple(each for each in self.enrolled if each.name != name)
        if len(others) >= MOST_NAMES:
            raise ConfigError(
                f"{MOST_NAMES} are enrolled already; forget one first: `ser-stream "
                "speakers forget NAME`"
            )
        return replace(self, enrolled=(*others, one))

    def with_examples(self, more: Sequence[Example]) -> "KnownSpeakers":
        """With examples of one lesson; of too many of a label the oldest go."""
        lesson = 1 + max((one.lesson for one in self.examples), default=0)
        every = (*self.examples, *(replace(one, lesson=lesson) for one in more))
        over = Counter(one.label for one in every)
        kept = []
        for one in every:
            if over[one.label] > MOST_EXAMPLES:
                over[one.label] -= 1
            else:
                kept.append(one)
        return replace(self, examples=tuple(kept))

    def without_last(self) -> "KnownSpeakers":
        """Without the examples of the last lesson.

        Raises:
            ConfigError: if there are none.
        """
        if not self.examples:
            raise ConfigError("nothing was taught, so there is nothing to undo")
        last = self.examples[-1].lesson
        kept = tuple(one for one in self.examples if one.lesson != last)
        return replace(self, examples=kept)

    def without(self, name: str) -> "KnownSpeakers":
        """Without the person, or the examples of the label, of this name.

        Raises:
            ConfigError: if there are none, with those that there are.
        """
        kept = KnownSpeakers(
            tuple(one for one in self.enrolled if one.name != name),
            tuple(one for one in self.examples if one.label != name),
        )
        if kept == self:
            there = [*self.names, *self.labels]
            raise ConfigError(
                f"nobody is enrolled as {name!r}, and no example has this label; "
                f"allowed: {', '.join(there) or 'nothing, as nothing is known'}"
            )
        return kept

    @property
    def parts(self) -> "list[Enrolment | Example]":
        """All speech that was heard, whatever for."""
        return [*self.enrolled, *self.examples]

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.enrolled]

    @property
    def labels(self) -> dict[str, int]:
        """How many examples each label has."""
        return dict(sorted(Counter(one.label for one in self.examples).items()))

    def voice(self, layer: LastLayer, labels: Sequence[str]) -> KnownVoice | None:
        """What a stream begins with; None where nothing is known.

        Args:
            layer: of the network.
            labels: of the network; examples of others are left out.
        """
        parts = self.parts
        if not parts:
            return None
        means = np.array([one.features for one in parts], np.float32)
        means -= [layer.of_emotion(_sure(one.emotion, labels)) for one in parts]
        seconds = np.array([one.seconds for one in parts], np.float32)
        heard: FloatArray = seconds @ means
        heard_s = float(seconds.sum())
        examples = [one for one in self.examples if one.label in labels]
        change = None
        if examples:
            features = np.array([one.features for one in examples], np.float32)
            targets = np.array([labels.index(one.label) for one in examples])
            change = taught(layer, features - layer.mean_of(heard, heard_s), targets)
        # Live speech is to move the mean, however much was said before.
        share = min(1.0, MOST_ENROLLED_S / heard_s)
        return KnownVoice(heard * np.float32(share), heard_s * share, change)


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


def _sure(label: str, labels: Sequence[str]) -> FloatArray:
    """Scores by which it is this label; of one that is not known, all alike."""
    if label not in labels:
        return np.full(len(labels), 1 / len(labels), np.float32)
    return np.array([each == label for each in labels], np.float32)


def rounded(features: FloatArray) -> tuple[float, ...]:
    """Features as they are kept."""
    return tuple(round(float(x), 5) for x in features)


def check_name(name: str, labels: Sequence[str]) -> None:
    """Refuse a name that can be nobody's.

    Raises:
        ConfigError: with what is allowed.
    """
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigError(
            f"{name!r} is no name; allowed: 1 to {LONGEST_NAME} characters that can be "
            "printed"
        )
    if name in labels:
        raise ConfigError(
            f"{name!r} is a label of the model; name the person otherwise, so that "
            "`speakers forget` can tell them apart"
        )


def check_label(label: str, labels: Sequence[str]) -> None:
    """Refuse a label that the model has not.

    Raises:
        ConfigError: with those that it has.
    """
    if label not in labels:
        raise ConfigError(
            f"the model has no label {label!r}; allowed: {', '.join(labels)}"
        )


def check_heard(seconds: float, *, enrols: bool) -> None:
    """Refuse what is too little speech to learn from.

    Raises:
        SourceError: with how much there is, and is needed.
    """
    least = LEAST_ENROLLED_S if enrols else LEAST_S
    if seconds < least:
        raise SourceError(
            f"there are {seconds:.1f} s of speech, and less than {least:g} s say "
            "little of " + ("a voice; half a minute is good" if enrols else "a mood")
        )


@dataclass(frozen=True, slots=True)
class SpeakerFile:
    """Where what is known for one network is kept."""

    path: Path
    n_features: int
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
        path = state_folder() / "speakers" / name.replace("/", "_")
        return SpeakerFile(path, len(layer.mean), network)

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
                tuple(Enrolment(**one) for one in content["enrolled"]),
                tuple(Example(**one) for one in content["examples"]),
            )
            for one in known.parts:
                _check(one, self.n_features)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(error) from None
        return _tuples(known)

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
                self.path.unlink(missing_ok=True)
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


def forget_everything() -> None:
    """Delete what is known for every model, also of those that are gone.

    Raises:
        SinkError: if something cannot be deleted.
    """
    for path in (state_folder() / "speakers").glob("*.json"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SinkError(f"{path}: {error.strerror}") from None


def _network(bundle: Bundle) -> str:
    """SHA-256 of what makes the features; thresholds and calibration do not."""
    graphs = {name: bundle.manifest["files"][name] for name in (ENCODER, HEAD)}
    return hashlib.sha256(json.dumps(graphs, sort_keys=True).encode()).hexdigest()


def _tuples(known: KnownSpeakers) -> KnownSpeakers:
    # JSON has lists, which would not compare equal.
    return KnownSpeakers(
        tuple(replace(one, features=tuple(one.features)) for one in known.enrolled),
        tuple(replace(one, features=tuple(one.features)) for one in known.examples),
    )
