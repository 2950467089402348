"""Who is told apart in a running daemon: listed, named, merged, forgotten, kept."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ser_stream.adaptation.known_speakers import check_name
from ser_stream.adaptation.voice_file import (
    KeptVoice,
    erase,
    keep,
    read_voices,
    voice_path,
)
from ser_stream.daemon.worker import Worker
from ser_stream.errors import ConfigError, SerStreamError
from ser_stream.pipeline.values import SAMPLE_RATE
from ser_stream.pipeline.voices.clusters import Voice
from ser_stream.pipeline.voices.who_speaks import WhoSpeaks

_LOGGER = logging.getLogger(__name__)
Answer = dict[str, Any]


def know_kept(worker: Worker) -> None:
    """Have every stream that tells speakers know the voices that are kept.

    A file that cannot be read is told in the log: a daemon goes on without it.
    """
    listening = [
        stream.pipeline.who
        for stream in worker.streams
        if stream.pipeline.who is not None
    ]
    if not listening:
        return
    try:
        kept = read_voices()
    except ConfigError as error:
        _LOGGER.warning("%s; going on without", error)
        return
    for who in listening:
        for one in kept:
            who.voices.know(one.name, np.array(one.total), one.weight)


class VoiceRequests:
    """Answers `speakers.live` and what changes that; from any thread.

    Of a daemon that hears several sources, `source` says at which.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.handlers: dict[str, Callable[..., Answer]] = {
            "speakers.live": self.live,
            "speakers.name": self.name,
            "speakers.merge": self.merge,
            "speakers.forget": self.forget,
            "speakers.keep": self.keep,
        }

    def refresh(self) -> None:
        """After other settings have come, which may ask for it first now."""
        self._worker.mailbox.call(lambda: know_kept(self._worker))

    def live(self, source: str | None = None) -> Answer:
        """Everybody who is told apart now."""
        return self._do(lambda who: None, source)

    def name(self, speaker: str, name: str, source: str | None = None) -> Answer:
        """Give a speaker a name, as long as the daemon runs; or longer if kept."""
        check_name(name, self._worker.model.labels)
        if name.isdecimal():
            raise ConfigError(f"{name!r} is a number; a name has a letter in it")

        def change(who: WhoSpeaks) -> None:
            before = who.voices.find(speaker).name
            voice = who.voices.name(speaker, name)
            if voice.kept:
                # Written first under the new name: a kill between leaves both.
                keep(KeptVoice.of(voice))
                if before is not None and before != name:
                    erase(before)

        return self._do(change, source)

    def merge(self, speaker: str, other: str, source: str | None = None) -> Answer:
        """Make one speaker of two, who has the number of the first."""

        def change(who: WhoSpeaks) -> None:
            gone = who.voices.find(other)
            voice = who.voices.merge(speaker, other)
            who.forget_turn()
            if voice.kept:
                keep(KeptVoice.of(voice))
                if gone.kept and gone.name is not None and gone.name != voice.name:
                    erase(gone.name)

        return self._do(change, source)

    def forget(self, speaker: str, source: str | None = None) -> Answer:
        """Forget a speaker, on disk too."""

        def change(who: WhoSpeaks) -> None:
            voice = who.voices.find(speaker)
            if voice.kept and voice.name is not None:
                erase(voice.name)
            who.voices.forget(speaker)
            who.forget_turn()

        streams = self._worker.streams_of(source)
        if len(streams) > 1 and not speaker.isdecimal():
            # Whoever was kept is known at all of them.
            for stream in streams:
                with suppress(ConfigError):
                    self._do(change, stream.name)
            return self.live(streams[0].name)
        return self._do(change, source)

    def keep(self, speaker: str, source: str | None = None) -> Answer:
        """Keep a speaker on disk, to be known again after a restart."""

        def change(who: WhoSpeaks) -> None:
            voice = who.voices.find(speaker)
            keep(KeptVoice.of(voice))
            voice.kept = True

        return self._do(change, source)

    def _do(self, change: Callable[[WhoSpeaks], None], source: str | None) -> Answer:
        stream = self._worker.stream_of(source, "say of which")

        def work() -> Answer:
            pipeline = stream.pipeline
            if pipeline.who is None:
                raise SerStreamError(
                    "this daemon does not tell speakers apart; start it with "
                    "ser-stream listen --tell-speakers, or set tell_speakers"
                )
            change(pipeline.who)
            heard_to = stream.health.end
            return {
                "now": pipeline.who.number,
                "most": pipeline.who.voices.most,
                "speakers": [
                    _described(voice, heard_to) for voice in pipeline.who.voices
                ],
                "file": str(voice_path()),
            }

        result: Answer = self._worker.mailbox.call(work)
        return result


def _described(voice: Voice, heard_to: int) -> Answer:
    ago = None if voice.last is None else max(0, heard_to - voice.last) / SAMPLE_RATE
    return {
        "speaker": voice.number,
        "name": voice.name,
        "seconds": round(voice.seconds, 1),
        "heard_s_ago": None if ago is None else round(ago, 1),
        "kept": voice.kept,
    }
