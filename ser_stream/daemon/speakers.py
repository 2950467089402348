"""What was enrolled and taught, in a running daemon: kept on disk, at work at once."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from ser_stream.adaptation.known_speakers import (
    Enrolment,
    Example,
    KnownSpeakers,
    check_heard,
    check_label,
    check_name,
    rounded,
)
from ser_stream.adaptation.speaker_file import (
    SpeakerFile,
    forget_everything,
    speakers_folder,
)
from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.model import Model
from ser_stream.pipeline.speaker import REMEMBERED_S, KnownVoice
from ser_stream.pipeline.values import FloatArray

_LOGGER = logging.getLogger(__name__)
Answer = dict[str, Any]
Wanted = Callable[[], bool]
"""Whether the settings have what is known put to work."""


def voice_of(model: Model, wanted: bool) -> KnownVoice | None:
    """What a stream of this model begins with, if that is wanted; None for nothing.

    A file that cannot be read is told in the log: a daemon goes on without it.
    """
    if not wanted:
        return None
    if model.recognizer.last_layer is None:
        if model.bundle.adapted:
            _LOGGER.info(
                "this version of the model is adapted: it begins without what was "
                "enrolled and taught, if anything was"
            )
        return None
    file = _file(model)
    try:
        known = file.read()
    except ConfigError as error:
        _LOGGER.warning("%s; going on without", error)
        return None
    voice = file.voice(known)
    if voice is not None:
        _LOGGER.info("knows %s; see ser-stream speakers list", summary(known))
    return voice


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

    def __init__(self, worker: Worker, wanted: Wanted) -> None:
        self._worker = worker
        self._wanted = wanted
        # Whoever reads the file last is also the last to put it to work.
        self._changing = threading.Lock()
        self.handlers: dict[str, Callable[..., Answer]] = {
            "speakers.status": self.status,
            "speakers.read": self.read,
            "speakers.enroll": self.enroll,
            "speakers.teach": self.teach,
            "speakers.forget_all": self.forget_all,
        }

    def status(self) -> Answer:
        """What is known for the active model, and where it is kept.

        Raises:
            SerStreamError: if the model cannot be taught, or the file is damaged.
        """
        file = _file(self._worker.model)
        known = file.read()
        return self._answer(file, known, file.voice(known))

    def read(self) -> Answer:
        """Read the file again, which another program has written."""
        return self._change(lambda known, _: known)

    def refresh(self) -> None:
        """Put to work what is known for the active model, if it is wanted.

        After another model or setting has come.
        """
        with self._changing:
            model = self._worker.model
            voice = voice_of(model, self._wanted())
            self._worker.mailbox.call(lambda: self._worker.know(model, voice))

    def enroll(self, name: str, last_s: float, source: str | None = None) -> Answer:
        """Enroll whoever spoke the last seconds; of several sources, at one of them."""
        check_name(name, self._worker.model.labels)
        features, seconds = self._newest(last_s, source, enrols=True)
        one = Enrolment(name, rounded(features), seconds)
        return self._change(lambda known, _: known.with_enrolled(one))

    def teach(self, label: str, last_s: float, source: str | None = None) -> Answer:
        """Take the last seconds of speech for an example of a label."""
        check_label(label, self._worker.model.labels)
        features, seconds = self._newest(last_s, source, enrols=False)
        one = Example(label, rounded(features), seconds)

        def change(known: KnownSpeakers, model: Model) -> KnownSpeakers:
            check_label(label, model.labels)
            return known.with_examples([one])

        return self._change(change)

    def forget_all(self) -> Answer:
        """Forget everybody and all examples, of all models, in memory and on disk.

        Whoever is only told apart is forgotten, too.
        """

        def work() -> None:
            # Between two steps, so that nobody is kept on disk meanwhile.
            forget_everything()
            self._worker.know(self._worker.model, None)
            for stream in self._worker.streams:
                if (who := stream.pipeline.who) is not None:
                    who.voices.forget_all()
                    who.forget_turn()

        with self._changing:
            self._worker.mailbox.call(work)
        _LOGGER.info("everybody is forgotten, and all that was taught")
        return {"folder": str(speakers_folder())}

    def _newest(
        self, last_s: float, source: str | None, *, enrols: bool
    ) -> tuple[FloatArray, float]:
        if not 1 <= last_s <= REMEMBERED_S:
            raise ConfigError(f"last is {last_s:g} s; allowed: 1 to {REMEMBERED_S:g}")
        stream = self._worker.stream_of(source, "say who spoke where")
        found = self._worker.mailbox.call(lambda: stream.speaker.newest(last_s))
        check_heard(0.0 if found is None else found[1], enrols=enrols)
        assert found is not None
        result: tuple[FloatArray, float] = found
        return result

    def _change(
        self, change: Callable[[KnownSpeakers, Model], KnownSpeakers]
    ) -> Answer:
        with self._changing:
            model = self._worker.model
            file = _file(model)
            known = file.change(lambda known: change(known, model))
            voice = file.voice(known)
            given = voice if self._wanted() else None
            if not self._worker.mailbox.call(lambda: self._worker.know(model, given)):
                raise SerStreamError(
                    "it is kept, but another model has come meanwhile, to which it "
                    "means nothing"
                )
        _LOGGER.info("knows %s now", summary(known))
        return self._answer(file, known, voice)

    def _answer(
        self, file: SpeakerFile, known: KnownSpeakers, voice: KnownVoice | None
    ) -> Answer:
        return {**file.described(known, voice), "used": self._wanted()}


def _file(model: Model) -> SpeakerFile:
    return SpeakerFile.of(model.bundle, model.recognizer.last_layer)
