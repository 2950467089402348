"""What users have said of their own voices: enrolled speech, and examples by label.

No sound, only what the network made of it: some hundred numbers for each example.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ser_stream.errors import ConfigError, SourceError
from ser_stream.pipeline.last_layer import LastLayer, taught
from ser_stream.pipeline.speaker import KnownVoice
from ser_stream.pipeline.values import FloatArray

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
    if name.isdecimal():
        raise ConfigError(
            f"{name!r} is a number, by which speakers that are only told apart are "
            "called; name the person otherwise"
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
