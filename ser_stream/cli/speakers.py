"""`ser-stream enroll`, `teach`, `speakers ...`: a daemon that learns its speakers."""

from pathlib import Path
from typing import Annotated

import typer

from ser_stream.cli.app import app, group
from ser_stream.cli.control import Socket, Source
from ser_stream.cli.options import Config, Json, Model
from ser_stream.errors import ConfigError

speakers_app = group(
    "speakers", "Who is enrolled, and what was taught; `enroll` and `teach` add to it."
)
EPILOG = (
    "Exit status: 0 done, 1 some of several files failed, or the running daemon "
    "refused, 2 usage, configuration, unreadable input or too little speech, 3 audio "
    "device, or with --last no daemon answers, 4 model, 5 it cannot be kept, or the "
    "daemon does not answer, 130 stopped by Ctrl-C before anything was kept."
)
Recordings = Annotated[
    list[Path] | None,
    typer.Argument(help="Recordings.", metavar="[FILE]...", readable=False),
]
Speaker = Annotated[
    str,
    typer.Argument(help="Who, by number or name; `speakers list` has them."),
]
Last = Annotated[
    str | None,
    typer.Option(
        "--last",
        help="Instead of files: the last seconds of speech that the running daemon "
        "heard, 1 to 30, as 5 or 5s.",
        metavar="SECONDS",
    ),
]


@app.command(epilog=EPILOG)
def enroll(
    files: Recordings = None,
    name: Annotated[str, typer.Option(help="Whose voice it is.")] = "me",
    mic: Annotated[
        str | None,
        typer.Option(
            "--mic",
            help="Instead of files: speak now, into the microphone of this NAME, or "
            "`default`.",
            metavar="NAME",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="With --mic: seconds of speech.", min=5, max=300)
    ] = 30.0,
    last: Last = None,
    source: Source = None,
    model: Model = None,
    config: Config = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Let the model know your voice: half a minute of ordinary talk.

    A voice that is always tense sounds angry to a model that never heard it. It is
    told how speech differs from what the speaker is usually like; without enrolment it
    finds that out while it listens, over some minutes, and forgets it when it ends.

    Several people may enroll: their mean counts, whoever speaks. Who enrolls again
    replaces what was there. No sound is kept, only what the model made of it, in a file
    of yours alone (`speakers list` names it). Every `listen` with this model begins
    with it; --no-speakers does not.

    Examples:

      ser-stream enroll --mic default

      ser-stream enroll --name Anna anna.wav

      ser-stream enroll --last 30s
    """
    from ser_stream.commands.speakers import enroll as command
    from ser_stream.config import build_config
    from ser_stream.sources import InputConfig

    _one_of(files, mic=mic, last=last)
    _of_daemon(last, model, source)
    microphone = None
    if mic is not None:
        microphone = InputConfig("mic" if mic == "default" else f"mic:{mic}")
    failed = command(
        build_config(config, {"model": model}),
        name,
        files=files or (),
        microphone=microphone,
        seconds=seconds,
        last_s=_seconds(last),
        source=source,
        socket=socket,
        as_json=as_json,
    )
    if failed:
        raise typer.Exit(1)


@app.command(epilog=EPILOG)
def teach(
    files: Recordings = None,
    label: Annotated[
        str | None, typer.Option(help="What they are examples of.", metavar="EMOTION")
    ] = None,
    last: Last = None,
    source: Source = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Forget the examples that came last.")
    ] = False,
    model: Model = None,
    config: Config = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Teach the model emotions by examples of your own voice: three of each are much.

    Every turn of a second or more is an example, so name files in which one emotion is
    heard; the newest 20 of a label are kept.
    They move the last layer of the network, and only the labels that were taught,
    against each other; so teach two or more. Each example is also checked by the
    others: where they contradict each other, nothing changes. The running daemon goes
    on with it at once.

    On corpora that the models never heard, three examples a label brought 7 points of
    recall (docs/speakers.md).

    Examples:

      ser-stream teach --label happy laughing.wav

      ser-stream teach --label angry --last 5s

      ser-stream teach --undo
    """
    from ser_stream.commands.speakers import change
    from ser_stream.commands.speakers import teach as command
    from ser_stream.config import build_config

    settings = build_config(config, {"model": model})
    if undo:
        if files or label or last:
            raise ConfigError("--undo stands alone")
        change(settings, lambda known: known.without_last(), socket, as_json)
        return
    if label is None:
        raise ConfigError("say by --label what the examples are of, as --label happy")
    _one_of(files, last=last)
    _of_daemon(last, model, source)
    failed = command(
        settings,
        label,
        files=files or (),
        last_s=_seconds(last),
        source=source,
        socket=socket,
        as_json=as_json,
    )
    if failed:
        raise typer.Exit(1)


@speakers_app.command("list", epilog=EPILOG)
def list_speakers(
    model: Model = None,
    config: Config = None,
    socket: Socket = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Print who is enrolled and what was taught, for the model that is configured.

    And whom the running daemon tells apart, if it runs with --tell-speakers.
    """
    from ser_stream.commands.speakers import show
    from ser_stream.config import build_config

    show(build_config(config, {"model": model}), socket, source, as_json)


@speakers_app.command("name", epilog=EPILOG)
def name(
    speaker: Speaker,
    name: Annotated[str, typer.Argument(help="Whose voice it is.")],
    socket: Socket = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Give a speaker that the running daemon tells apart a name.

    Examples:

      ser-stream speakers name 1 Anna
    """
    from ser_stream.commands.voices import change

    change("name", socket, as_json, source=source, speaker=speaker, name=name)


@speakers_app.command("merge", epilog=EPILOG)
def merge(
    speaker: Speaker,
    other: Annotated[str, typer.Argument(help="Who is the same, by number or name.")],
    socket: Socket = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Say that two speakers that the running daemon tells apart are one, the first.

    Examples:

      ser-stream speakers merge 1 3
    """
    from ser_stream.commands.voices import change

    change("merge", socket, as_json, source=source, speaker=speaker, other=other)


@speakers_app.command("keep", epilog=EPILOG)
def keep(
    speaker: Speaker,
    socket: Socket = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Keep a named speaker on disk: the next daemon knows the voice, too.

    What is kept is no sound, but 256 numbers by which a voice can be known again:
    biometric data. Have the consent of whose voice it is. `speakers forget NAME`
    deletes it. Without this, nothing of a voice is written.

    Examples:

      ser-stream speakers keep Anna
    """
    from ser_stream.commands.voices import change

    change("keep", socket, as_json, source=source, speaker=speaker)


@speakers_app.command("forget", epilog=EPILOG)
def forget(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="People, labels of examples, or numbers of speakers that the running "
            "daemon tells apart.",
            metavar="[NAME]...",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Everybody, and all examples; unless --model is given, of all models.",
        ),
    ] = False,
    model: Model = None,
    config: Config = None,
    socket: Socket = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Forget people, the examples of labels, or speakers by their numbers."""
    from ser_stream.adaptation.known_speakers import KnownSpeakers
    from ser_stream.commands.speakers import change, forget_all, forget_named
    from ser_stream.config import build_config

    if everything == bool(names):
        raise ConfigError("name whom to forget, or say --all")
    if everything and model is None:
        forget_all(socket, as_json)
        return

    settings = build_config(config, {"model": model})
    if everything:
        change(settings, lambda _known: KnownSpeakers(), socket, as_json)
    else:
        forget_named(names or (), settings, socket, source, as_json)


def _one_of(files: list[Path] | None, **others: str | None) -> None:
    """See that one place is named where speech comes from.

    Raises:
        ConfigError: if there is none, or there are several.
    """
    given = [bool(files), *(value is not None for value in others.values())]
    if sum(given) != 1:
        flags = " or ".join(f"--{name}" for name in others)
        raise ConfigError(f"name recordings, or say {flags}: one of them")


def _of_daemon(last: str | None, model: str | None, source: str | None) -> None:
    if source is not None and last is None:
        raise ConfigError("--source is for --last: what a running daemon heard there")
    if last is not None and model is not None:
        raise ConfigError(
            "--last is for the model that the daemon runs, not for --model"
        )


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    # It loads numpy, which no other command of a socket needs.
    from ser_stream.pipeline.speaker import REMEMBERED_S

    try:
        seconds = float(text.strip().removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= REMEMBERED_S:
        raise ConfigError(
            f"--last {text}: allowed: seconds from 1 to {REMEMBERED_S:g}, as 5 or 5s"
        )
    return seconds
