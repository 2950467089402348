"""`enroll`, `teach` and `speakers`: from recordings, and from a running daemon."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ser_stream.client import RefusedError, control
from ser_stream.pipeline.values import SAMPLE_RATE
from tests.helpers.minute import utterances_of_the_minute
from tests.helpers.paths import MINUTE
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, predictions, run
from tests.helpers.running_daemon import RunningDaemon, running_daemon


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The minute's utterances as files, by emotion."""
    folder = tmp_path_factory.mktemp("clips")
    found: dict[str, list[Path]] = {}
    for said in utterances_of_the_minute():
        path = folder / f"{said.name}.wav"
        soundfile.write(path, said.samples, SAMPLE_RATE)
        found.setdefault(said.emotion, []).append(path)
    return found


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {**ENVIRONMENT, "XDG_STATE_HOME": str(tmp_path / "state")}


def told(home: dict[str, str], *arguments: str | Path) -> dict[str, Any]:
    done = run(*arguments, "--json", environment=home)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["enroll"], ["teach", "--label", "sad"]])
def test_stopped_while_it_listens_it_says_so_and_keeps_nothing(
    command: list[str], number: int, home: dict[str, str], tmp_path: Path
) -> None:
    # A pipe that is opened is one that is being heard.
    os.mkfifo(tmp_path / "pipe.raw")
    with (
        subprocess.Popen(
            [*COMMAND, *command, str(tmp_path / "pipe.raw")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=home,
        ) as process,
        (tmp_path / "pipe.raw").open("wb"),
    ):
        process.send_signal(number)
        said, errors = process.communicate(timeout=120)
    assert (process.returncode, said) == (130, b"")
    assert errors == b"ser-stream: error: stopped; nothing was kept\n"
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_said_of_voices_is_kept_shown_undone_and_forgotten(
    home: dict[str, str], clips: dict[str, list[Path]]
) -> None:
    assert told(home, "speakers", "list")["enrolled"] == []
    known = told(home, "enroll", "--name", "Eva", *clips["neutral"], *clips["sad"])
    assert [one["name"] for one in known["enrolled"]] == ["Eva"]
    assert known["enrolled"][0]["seconds"] > 5
    known = told(home, "teach", "--label", "angry", *clips["angry"])
    assert known["taught"] is False  # against what?
    known = told(home, "teach", "--label", "neutral", *clips["neutral"])
    assert known["taught"] is True
    assert set(known["examples"]) == {"angry", "neutral"}
    text = run("speakers", "list", environment=home).stdout.decode()
    assert "enrolled Eva" in text
    assert "of angry" in text
    known = told(home, "teach", "--undo")
    assert set(known["examples"]) == {"angry"}
    known = told(home, "speakers", "forget", "Eva")
    assert known["enrolled"] == []
    file = Path(known["file"])
    assert file.exists()
    told(home, "speakers", "forget", "--all")
    assert not file.exists()


def test_listen_begins_with_it_unless_told_not_to(
    home: dict[str, str], clips: dict[str, list[Path]]
) -> None:
    listen = ("listen", "--input", MINUTE, "--pace", "fast", "--format", "json")

    def scores(*flags: str, environment: dict[str, str] = home) -> list[Any]:
        done = run(*listen, *flags, environment=environment)
        assert done.returncode == 0, done.stderr
        return [p["scores"] for p in predictions(done.stdout)]

    nobody = scores()
    told(home, "enroll", *clips["neutral"], *clips["sad"])
    enrolled = scores()
    assert enrolled != nobody
    told(home, "teach", "--label", "sad", *clips["angry"])
    told(home, "teach", "--label", "angry", *clips["sad"])
    taught = scores()
    assert scores("--no-speakers") == nobody
    off = {**home, "SER_STREAM_SPEAKERS": "false"}
    assert scores(environment=off) == nobody

    # The same clips are in the minute, and what sounds angry was taught to be sad.
    angry = [s is not None and max(s, key=s.get) == "angry" for s in enrolled]
    assert sum(angry) > 20

    def sadness(scores: list[Any]) -> float:
        there = [s["sad"] for s, here in zip(scores, angry, strict=True) if here]
        return float(sum(there))

    assert sadness(taught) > 1.5 * sadness(enrolled)


def test_of_several_all_are_forgotten_or_nobody(
    home: dict[str, str], clips: dict[str, list[Path]]
) -> None:
    for name in ("Anna", "Eva"):
        told(home, "enroll", "--name", name, *clips["neutral"], *clips["sad"])
    done = run("speakers", "forget", "Anna", "Bob", environment=home)
    assert done.returncode == 2
    assert error_line(done).endswith(
        "as 'Bob', and no example has this label; allowed: Anna, Eva"
    )
    known = told(home, "speakers", "list")
    assert [one["name"] for one in known["enrolled"]] == ["Anna", "Eva"]
    assert told(home, "speakers", "forget", "Anna", "Eva")["enrolled"] == []
    done = run("enroll", "--name", "12", *clips["neutral"], environment=home)
    assert done.returncode == 2
    assert "'12' is a number" in error_line(done)


def test_forgetting_everything_needs_no_model_and_mends_a_damaged_file(
    home: dict[str, str], clips: dict[str, list[Path]]
) -> None:
    file = Path(told(home, "teach", "--label", "sad", *clips["sad"])["file"])
    file.write_text("{")
    done = run("speakers", "forget", "--all", environment=home)
    assert done.returncode == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["enroll"], "name recordings"),
        (["enroll", "--last", "x"], "--last x"),
        (["enroll", "--last", "nan"], "--last nan"),
        (["teach", "--label", "sad", "--last", "31"], "from 1 to 30"),
        (["enroll", "--last", "9", "--model", "open"], "not for --model"),
        (["enroll", "--name", "sad", MINUTE], "is a label of the model"),
        (["enroll", "--mic", "default", "--name", ""], "is no name"),
        (["enroll", "/nonexistent.wav"], "there is no file"),
        (["enroll", "--last", "5", "--mic", "default"], "one of them"),
        (["enroll", "--name", "", MINUTE], "is no name"),
        (["teach", MINUTE], "--label"),
        (["teach", "--label", "bored", MINUTE], "allowed: angry, fear"),
        (["teach", "--undo", "--label", "sad"], "--undo stands alone"),
        (["teach", "--undo"], "nothing was taught"),
        (["speakers", "forget"], "--all"),
        (
            ["speakers", "forget", "Eva"],
            "nobody is enrolled, kept or told apart as 'Eva'",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    home: dict[str, str], arguments: list[str], words: str
) -> None:
    done = run(*arguments, environment=home)
    assert done.returncode == 2
    assert words in error_line(done)
    assert told(home, "speakers", "list")["enrolled"] == []


def test_files_without_speech_and_files_that_are_none_are_named(
    home: dict[str, str], clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    still, missing = tmp_path / "still.wav", tmp_path / "none.wav"
    soundfile.write(still, [0.0] * 3 * SAMPLE_RATE, SAMPLE_RATE)
    files = (still, missing, *clips["sad"])
    done = run("teach", "--label", "sad", *files, environment=home)
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2
    assert str(missing) in lines[0]
    assert "still.wav: no 1 s of speech in one piece" in lines[1]
    assert told(home, "speakers", "list")["examples"]["sad"] >= len(clips["sad"])
    done = run("enroll", still, environment=home)
    assert done.returncode == 2
    assert "s of speech, and less than 5 s" in error_line(done)


def test_a_damaged_file_stops_no_daemon_and_is_named(
    home: dict[str, str], clips: dict[str, list[Path]]
) -> None:
    file = Path(told(home, "enroll", *clips["sad"], *clips["fear"])["file"])
    file.write_text("{")
    done = run("speakers", "list", environment=home)
    assert done.returncode == 2
    assert str(file) in error_line(done)
    listen = ("listen", "--input", MINUTE, "--pace", "fast", "--format", "json")
    done = run(*listen, environment=home)
    assert done.returncode == 0
    assert "going on without" in error_line(done)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as daemon:
        yield daemon


def until_heard(daemon: RunningDaemon, seconds: float) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = json.loads(daemon.control("status").stdout)
        if status["audio"]["heard_s"] > seconds:
            return
        time.sleep(0.2)
    pytest.fail("the daemon does not hear")


def test_a_daemon_learns_from_what_it_just_heard_and_from_files_at_once(
    daemon: RunningDaemon, clips: dict[str, list[Path]]
) -> None:
    socket = ("--socket", daemon.socket)
    until_heard(daemon, 6)

    def ask(*arguments: str | Path) -> dict[str, Any]:
        return told(dict(daemon.environment), *arguments, *socket)

    known = ask("teach", "--label", "angry", "--last", "3s")
    assert known["examples"] == {"angry": 1}
    until_heard(daemon, 20)
    known = ask("enroll", "--name", "Eva", "--last", "10")
    assert known["enrolled"][0]["seconds"] >= 5
    known = ask("teach", "--label", "sad", *clips["sad"])
    assert set(known["examples"]) == {"angry", "sad"}
    log = daemon.log.read_text()
    assert "knows 1 enrolled (Eva) and 1 example (1 angry) now" in log
    assert "sad) now" in log  # told by the command that read the files
    for arguments, words in (
        (("teach", "--label", "bored", "--last", "3"), "allowed: angry"),
        (("enroll", "--name", "sad", "--last", "3"), "is a label"),
        (("enroll", "--last", "2"), "less than 5 s"),
    ):
        done = run(*arguments, *socket, environment=daemon.environment)
        assert done.returncode == 1
        assert words in error_line(done)
    with pytest.raises(RefusedError, match="a number"):
        control("speakers.teach", daemon.socket, label="sad", last_s=10.0**300)


def test_a_daemon_that_is_to_leave_it_out_keeps_it_until_the_setting_changes(
    clips: dict[str, list[Path]], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("speakers = false\n")
    with running_daemon("--config", file) as daemon:
        until_heard(daemon, 2)
        socket = ("--socket", daemon.socket)
        for label in ("sad", "angry"):
            arguments = ("teach", "--label", label, *clips[label], *socket)
            done = run(*arguments, environment=daemon.environment)
            assert done.returncode == 0
            assert "leaves it out" in error_line(done)
        known = control("speakers.status", daemon.socket)
        assert known["taught"] is True
        assert known["used"] is False
        file.write_text("speakers = true\n")
        assert control("reload", daemon.socket)["changed"] == ["speakers"]
        assert control("speakers.status", daemon.socket)["used"] is True
        assert "angry" in daemon.log.read_text().rpartition("knows ")[2]
