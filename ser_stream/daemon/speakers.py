"""What was enrolled and taught, in a running daemon: kept on disk, at work at once."""

import logging
from collections.abc import Callable
from typing import Any

from ser_stream.adaptation.known_speakers import (
    Enrolment,
    Example,
    KnownSpeakers,
    SpeakerFile,
    rounded,
)
from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.model import Model
from ser_stream.pipeline.speaker import REMEMBERED_S
from ser_stream.pipeline.values import FloatArray

_LOGGER = logging.getLogger(__name__)
LEAST_S = 1.0
"""Of speech that something can be learnt from, seconds."""
Answer = dict[str, Any]


def with_known(model: Model, wanted: bool) -> Model:
    """A model whose streams begin with what is known for it, if that is wanted.

    A file that cannot be read is told in the log: a daemon goes on without it.
    """
    layer = model.recognizer.last_layer
    if not wanted or layer is None:
        return model
    try:
        known = SpeakerFile.of(model.bundle, layer).read()
    except ConfigError as error:
        _LOGGER.warning("%s; going on without", error)
        return model
    model.known = known.voice(layer, model.labels)
    if model.known is not None:
        _LOGGER.info("begins with %s; see ser-stream speakers list", summary(known))
    return model


def summary(known: KnownSpeakers) -> str:
    """Who is enrolled and what was taught, in some words."""
    parts = []
    if known.enrolled:
        parts.append(f"{len(known.enrolled)} enrolled ({', '.join(known.names)})")
    if known.examples:
        counts = ", ".join(f"{n} {label}" for label, n in known.labels.items())
        n = len(known.examples)
        parts.append(f"{n} example{'s' if n > 1 else ''} ({counts})")
    return " and ".join(parts) or "nobody"


class SpeakerRequests:
    """Answers `speakers.*`; every method may be called from any thread."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.handlers: dict[str, Callable[..., Answer]] = {
            "speakers.status": self.status,
            "speakers.read": self.read,
            "speakers.enroll": self.enroll,
            "speakers.teach": self.teach,
        }

    def status(self) -> Answer:
        """What is known for the active model, and where it is kept.

        Raises:
            SerStreamError: if the model cannot be taught, or the file is damaged.
        """
        model = self._worker.model
        file = _file(model)
        return _answer(model, file, file.read())

    def read(self) -> Answer:
        """Read the file again, which another program has written."""
        model = self._worker.model
        file = _file(model)
        return self._use(model, file, file.read())

    def enroll(self, name: str, last_s: float) -> Answer:
        """Enroll whoever spoke the last seconds."""
        features, seconds = self._newest(last_s)
        one = Enrolment(name, rounded(features), seconds)
        return self._change(lambda known, _: known.with_enrolled(one))

    def teach(self, label: str, last_s: float) -> Answer:
        """Take the last seconds of speech for an example of a label."""
        features, seconds = self._newest(last_s)
        one = Example(label, rounded(features), seconds, "live")

        def change(known: KnownSpeakers, model: Model) -> KnownSpeakers:
            check_label(label, model)
            return known.with_examples([one])

        return self._change(change)

    def _newest(self, last_s: float) -> tuple[FloatArray, float]:
        if not LEAST_S <= last_s <= REMEMBERED_S:
            raise ConfigError(
                f"last is {last_s:g} s; allowed: {LEAST_S:g} to {REMEMBERED_S:g}"
            )
        found = self._worker.mailbox.call(lambda: self._worker.speaker.newest(last_s))
        if found is None:
            raise SerStreamError(
                "nothing long enough was said yet; speak for two seconds or more first"
            )
        result: tuple[FloatArray, float] = found
        return result

    def _change(
        self, change: Callable[[KnownSpeakers, Model], KnownSpeakers]
    ) -> Answer:
        model = self._worker.model
        file = _file(model)
        known = change(file.read(), model)
        file.write(known)
        return self._use(model, file, known)

    def _use(self, model: Model, file: SpeakerFile, known: KnownSpeakers) -> Answer:
        layer = model.recognizer.last_layer
        assert layer is not None
        voice = known.voice(layer, model.labels)
        self._worker.mailbox.call(lambda: self._worker.know(model, voice))
        _LOGGER.info("knows %s now", summary(known))
        return _answer(model, file, known)


def check_label(label: str, model: Model) -> None:
    """Refuse a label that the model has not.

    Raises:
        ConfigError: with those that it has.
    """
    if label not in model.labels:
        raise ConfigError(
            f"model {model.bundle.name} has no label {label!r}; allowed: "
            f"{', '.join(model.labels)}"
        )


def _file(model: Model) -> SpeakerFile:
    return SpeakerFile.of(model.bundle, model.recognizer.last_layer)


def _answer(model: Model, file: SpeakerFile, known: KnownSpeakers) -> Answer:
    return {
        "model": model.bundle.name,
        "file": str(file.path),
        **described(known, model),
    }


def described(known: KnownSpeakers, model: Model) -> Answer:
    """What is known, and whether the examples are at work."""
    layer = model.recognizer.last_layer
    assert layer is not None
    voice = known.voice(layer, model.labels)
    return {
        "enrolled": [
            {"name": one.name, "seconds": round(one.seconds, 1)}
            for one in known.enrolled
        ],
        "examples": known.labels,
        "taught": voice is not None and voice.taught is not None,
    }
