"""`ser-stream enroll`, `teach` and `speakers`: what users say of their own voices."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.adaptation.known_speakers import (
    LEAST_S,
    MOST_EXAMPLES,
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
from ser_stream.client import control
from ser_stream.client.errors import NotRunningError
from ser_stream.commands import voices
from ser_stream.commands.output import write, write_json
from ser_stream.commands.progress import share_bar
from ser_stream.commands.stopping import told_if_stopped
from ser_stream.config import ListenConfig
from ser_stream.config.for_model import pipeline_config
from ser_stream.errors import (
    ConfigError,
    SerStreamError,
    SourceError,
)
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.turns import Turn, TurnRecorder
from ser_stream.pipeline.values import AudioState, Chunk, Condition
from ser_stream.sources import InputConfig, open_source
from ser_stream.sources.recorded import read_chunks

_LOGGER = logging.getLogger(__name__)
_STOPPED = "stopped; nothing was kept"
MIC_WAIT_S = 120.0
"""Beyond what was asked for, seconds; then nobody is speaking."""
Answer = dict[str, Any]


class Speakers:
    """What is known for the configured model, on disk."""

    def __init__(self, config: ListenConfig) -> None:
        """Load the model.

        Raises:
            ModelError: if it cannot be loaded, or cannot be taught.
            ConfigError: if what is kept cannot be read.
        """
        bundle = load_bundle(config.model)
        settings = pipeline_config(config, bundle)
        # Recordings are short: none is to end before its second step.
        step_s = min(settings.step_s, bundle.step_s)
        self.model = Model(bundle, replace(settings, step_s=step_s))
        self.file = SpeakerFile.of(bundle, self.model.recognizer.last_layer)
        self.known = self.file.read()

    def change(self, how: Callable[[KnownSpeakers], KnownSpeakers]) -> None:
        """Change what is kept; what others have changed meanwhile stays."""
        self.known = self.file.change(how)

    def turns(self, chunks: Iterable[Chunk]) -> list[Turn]:
        """The turns of a recording at 16 kHz."""
        recorder = TurnRecorder(self.model.config.step_s)
        pipeline = self._pipeline(recorder)
        for chunk in chunks:
            pipeline.feed(chunk)
        recorder.pause()
        return recorder.turns

    def turns_of_microphone(self, source: InputConfig, seconds: float) -> list[Turn]:
        """The turns of what is said now, until there were so many seconds of speech.

        Raises:
            SourceError: if the microphone is lost, or nobody speaks.
        """
        recorder = TurnRecorder(self.model.config.step_s)
        pipeline = self._pipeline(recorder)
        begun = time.monotonic()
        with (
            told_if_stopped("stopped before there was enough speech"),
            open_source(source) as mic,
            share_bar(round(seconds), "listening") as show,
        ):
            while recorder.speech_s < seconds:
                item = mic.read(0.25)
                if (heard := time.monotonic() - begun) > seconds + MIC_WAIT_S:
                    raise SourceError(
                        f"only {recorder.speech_s:.0f} s of speech within "
                        f"{heard:.0f} s; is it the right microphone? `ser-stream "
                        "devices` lists them"
                    )
                if isinstance(item, Condition) and item.state is AudioState.LOST:
                    raise SourceError("the microphone is lost; try again")
                if not isinstance(item, Chunk):
                    continue
                pipeline.feed(item)
                show(recorder.speech_s)
        recorder.pause()
        return recorder.turns

    def _pipeline(self, recorder: TurnRecorder) -> Pipeline:
        model = self.model
        return Pipeline(
            model.recognizer, model.bundle.front_end, model.config, speaker=recorder
        )

    def described(self) -> Answer:
        """What is known, as the daemon answers it."""
        return self.file.described(self.known, self.file.voice(self.known))


def enroll(
    config: ListenConfig,
    name: str,
    *,
    files: Sequence[Path] = (),
    microphone: InputConfig | None = None,
    seconds: float,
    last_s: float | None = None,
    source: str | None = None,
    socket: str | None = None,
    as_json: bool,
) -> int:
    """Keep what a person's ordinary talk is like.

    Args:
        config: names the model.
        name: of the person.
        files: recordings of them; or
        microphone: where they speak now, until there are so many
        seconds: of speech; or
        last_s: how many of the last seconds a daemon heard of them,
        source: by which of several sources.
        socket: of the daemon.
        as_json: print JSON.

    Returns:
        How many files could not be read.
    """
    if last_s is not None:
        said = {"name": name, "last_s": last_s, "source": source}
        _by_daemon("speakers.enroll", socket, as_json, **said)
        return 0
    with told_if_stopped(_STOPPED):
        speakers = Speakers(config)
        check_name(name, speakers.model.labels)
        failed = 0
        if microphone is not None:
            turns = speakers.turns_of_microphone(microphone, seconds)
        else:
            found, failed = _of_files(files, speakers.turns)
            turns = [turn for _, of_file in found for turn in of_file]
        heard_s = sum(turn.seconds for turn in turns)
        check_heard(heard_s, enrols=True)
        mean = np.average(
            [turn.features for turn in turns],
            axis=0,
            weights=[turn.seconds for turn in turns],
        )
        one = Enrolment(name, rounded(mean), round(heard_s, 2))
        speakers.change(lambda known: known.with_enrolled(one))
    _tell(speakers, socket, as_json)
    return failed


def teach(
    config: ListenConfig,
    label: str,
    *,
    files: Sequence[Path] = (),
    last_s: float | None = None,
    source: str | None = None,
    socket: str | None = None,
    as_json: bool,
) -> int:
    """Keep examples of an emotion: each turn of each file, or the last seconds.

    Returns:
        How many files could not be read.
    """
    if last_s is not None:
        said = {"label": label, "last_s": last_s, "source": source}
        _by_daemon("speakers.teach", socket, as_json, **said)
        return 0
    with told_if_stopped(_STOPPED):
        speakers = Speakers(config)
        check_label(label, speakers.model.labels)
        found, failed = _of_files(files, speakers.turns)
        examples = []
        for path, turns in found:
            enough = [turn for turn in turns if turn.seconds >= LEAST_S]
            if not enough:
                failed += 1
                _LOGGER.error("%s: no %g s of speech in one piece in it", path, LEAST_S)
            if len(enough) > MOST_EXAMPLES:
                _LOGGER.warning(
                    "%s: only the first %d of its %d turns are taken",
                    path,
                    MOST_EXAMPLES,
                    len(enough),
                )
            examples += [
                Example(label, rounded(turn.features), round(turn.seconds, 2))
                for turn in enough[:MOST_EXAMPLES]
            ]
        if not examples:
            raise SourceError("there was nothing to learn from")
        speakers.change(lambda known: known.with_examples(examples))
    _tell(speakers, socket, as_json)
    return failed


def change(
    config: ListenConfig,
    how: Callable[[KnownSpeakers], KnownSpeakers],
    socket: str | None,
    as_json: bool,
) -> None:
    """Undo or forget something; ConfigError if there is nothing of the kind."""
    speakers = Speakers(config)
    speakers.change(how)
    _tell(speakers, socket, as_json)


def forget_named(
    names: Sequence[str],
    config: ListenConfig,
    socket: str | None,
    source: str | None,
    as_json: bool,
) -> None:
    """Forget people, the examples of labels, and speakers by their numbers.

    Raises:
        ConfigError: if any is nobody's; nothing has been forgotten then.
    """
    speakers = Speakers(config)
    numbers, others = _sorted_out(names, speakers.known, socket, source)
    for number in numbers:
        voices.change("forget", socket, as_json, source=source, speaker=number)
    if not others:
        return
    heard = {name for name in others if voices.forget_kept(name, socket)}

    def less(known: KnownSpeakers) -> KnownSpeakers:
        for name in others:
            # Whoever was only told apart is not enrolled.
            if name not in heard or name in (*known.names, *known.labels):
                known = known.without(name)
        return known

    speakers.change(less)
    _tell(speakers, socket, as_json)


def _sorted_out(
    names: Sequence[str], known: KnownSpeakers, socket: str | None, source: str | None
) -> tuple[list[str], list[str]]:
    """Parts numbers of speakers who are only told apart from all other names.

    Raises:
        ConfigError: if any is nobody's.
    """
    there = [*known.names, *known.labels, *voices.kept_names()]
    # A person who was enrolled under a number is called by it.
    numbers = [name for name in names if name.isdecimal() and name not in there]
    live = voices.live(socket, source)
    for one in () if live is None else live["speakers"]:
        there += [str(one["speaker"]), *([one["name"]] if one["name"] else [])]
    others = [name for name in names if name not in numbers]
    # Of numbers where no daemon answers, asking it says why.
    for name in names if live is not None else others:
        if name not in there:
            allowed = ", ".join(dict.fromkeys(there))
            raise ConfigError(
                f"nobody is enrolled, kept or told apart as {name!r}, and no example "
                f"has this label; allowed: {allowed or 'nothing, as nothing is known'}"
            )
    return numbers, others


def forget_all(socket: str | None, as_json: bool) -> None:
    """Forget everybody and all examples, for every model that there ever was.

    Here, and where a daemon that runs keeps them, which may be another folder.

    Raises:
        SinkError: if something cannot be deleted.
        NotRunningError: if a socket is named, and no daemon answers there.
        SerStreamError: if a daemon that runs has not forgotten.
    """
    forget_everything()
    gone = f"what was kept in {speakers_folder()} is gone"
    try:
        control("speakers.forget_all", socket)
    except NotRunningError as error:
        if socket is not None:
            raise NotRunningError(
                f"{gone}; what a daemon keeps elsewhere may be there still: {error}"
            ) from None
    except SerStreamError as error:
        raise SerStreamError(
            f"{gone}, but the running daemon has forgotten nobody ({error}); run this "
            "as its user, after a restart if it is of an older version"
        ) from None
    answer: Answer = {"model": None, "enrolled": [], "examples": {}, "taught": False}
    _say(answer, as_json)


def show(
    config: ListenConfig, socket: str | None, source: str | None, as_json: bool
) -> None:
    """Print who is enrolled and what was taught, and whom a daemon tells apart."""
    answer = Speakers(config).described()
    heard = voices.live(socket, source)
    if heard is not None:
        answer["live"] = heard
    kept = voices.kept_names()
    if kept:
        answer["kept"] = kept
    _say(answer, as_json)


def _of_files(
    files: Sequence[Path], turns_of: Callable[[Iterable[Chunk]], list[Turn]]
) -> tuple[list[tuple[Path, list[Turn]]], int]:
    if not files:
        raise ConfigError("name one recording or more, or what else to listen to")
    found, failed = [], 0
    for path in files:
        try:
            found.append((path, turns_of(read_chunks(path))))
        except SourceError as error:
            if len(files) == 1:
                raise
            failed += 1
            _LOGGER.error("%s", error)
    return found, failed


def _by_daemon(do: str, socket: str | None, as_json: bool, **fields: Any) -> None:
    """Have a daemon do it with what it just heard, and print what is known then."""
    answer = control(do, socket, **fields)
    _say(answer, as_json)
    _tell_unused(answer)


def _tell(speakers: Speakers, socket: str | None, as_json: bool) -> None:
    """Have a daemon that runs go on with it, and print what is known now."""
    answer = speakers.described()
    _say(answer, as_json)
    heard = _have_read(socket)
    if heard is not None and heard["file"] != answer["file"]:
        _LOGGER.warning(
            "the running daemon has its own, %s: run this as its user, and with its "
            "--model",
            heard["file"],
        )


def _have_read(socket: str | None) -> Answer | None:
    """Have a daemon that runs read it; None where there is none, or it did not."""
    try:
        heard = control("speakers.read", socket)
    except NotRunningError:
        return None  # The next one begins with it.
    except SerStreamError as error:
        _LOGGER.warning("it is kept, but the running daemon did not take it: %s", error)
        return None
    _tell_unused(heard)
    return heard


def _tell_unused(answer: Answer) -> None:
    if not answer.get("used", True):
        _LOGGER.warning(
            "the running daemon leaves it out, as its setting speakers is false"
        )


def _say(answer: Answer, as_json: bool) -> None:
    if as_json:
        write_json(answer)
        return
    lines = [f"model {answer['model']}" if answer["model"] else "all models"]
    lines += [
        f"  enrolled {one['name']}: {one['seconds']:g} s" for one in answer["enrolled"]
    ]
    lines += [
        f"  {n} example{'s' if n > 1 else ''} of {label}"
        for label, n in answer["examples"].items()
    ]
    if answer["examples"] and not answer["taught"]:
        why = (
            "of one label alone, nothing is learnt yet: teach another"
            if len(answer["examples"]) < 2
            else "they contradict each other, so nothing is learnt: undo the last, or "
            "teach more"
        )
        lines.append(f"  {why}")
    if len(lines) == 1:
        lines.append("  nobody is enrolled, and nothing was taught")
    else:
        lines.append(f"  kept in {answer['file']}")
    if "live" in answer:
        lines.append("told apart now:")
        lines += voices.rows(answer["live"]) or ["  nobody yet"]
    if "kept" in answer:
        lines.append(f"voices kept: {', '.join(answer['kept'])}")
    write("\n".join(lines) + "\n")
