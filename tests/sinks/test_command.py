"""`--on-emotion`: a command that is run, rarely enough, and that disturbs nothing."""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ser_stream.client import RefusedError, control
from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import EmotionEvent, Phase
from ser_stream.protocol.messages import Message, MessageBuilder
from ser_stream.protocol.wall_clock import WallClock
from ser_stream.sinks import command as module
from ser_stream.sinks.command import CommandSink
from tests.helpers.paths import DATA
from tests.helpers.program import error_line, messages, run
from tests.helpers.running_daemon import running_daemon

PROTOCOL = MessageBuilder(WallClock())


def emotion(id: int, phase: Phase = Phase.START) -> Message:
    return PROTOCOL.emotion(EmotionEvent(phase, id, "angry", 16_000, 32_000, 0.7))


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def python(program: str, *arguments: object) -> list[str]:
    """A command that runs a Python program; `-S -E` since that starts sooner."""
    return [sys.executable, "-S", "-E", "-c", program, *map(str, arguments)]


APPEND = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def ids(file: Path) -> list[int]:
    """Emotions that a command wrote to a file, one a line."""
    text = file.read_text() if file.exists() else ""
    return [json.loads(line)["id"] for line in text.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def said(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    """The messages of a level."""
    return [r.getMessage() for r in caplog.records if r.levelname == level]


def test_the_line_of_an_emotion_that_begins_comes_on_standard_input(
    file: Path,
) -> None:
    with closing(CommandSink(python(APPEND, file), 0.0)) as sink:
        sink.send(emotion(1, Phase.UPDATE))
        sink.send(PROTOCOL.status("audio", "lost", "", 0))
        sink.send(message := emotion(2))
        sink.send(emotion(2, Phase.END))
        until(lambda: ids(file) == [2])
        assert file.read_bytes() == message.line
        assert not sink.closed
        assert sink.runs == 1
    assert sink.closed


def test_it_starts_at_most_once_in_so_long_and_then_with_the_newest(
    file: Path,
) -> None:
    started = time.monotonic()
    with closing(CommandSink(python(APPEND, file), 2.0)) as sink:
        sink.send(emotion(1))
        until(lambda: ids(file) == [1])
        for id in range(2, 100):
            sink.send(emotion(id))
        until(lambda: ids(file) == [1, 99])
        assert time.monotonic() - started >= 2.0
        assert (sink.runs, sink.skipped) == (2, 97)


def test_one_runs_at_a_time_however_long_it_takes(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slow = "import os, sys, time; " + (
        "fd = os.open(sys.argv[1], os.O_CREAT | os.O_EXCL); time.sleep(0.1); "
        "os.unlink(sys.argv[1])"
    )
    with closing(CommandSink(python(slow, file), 0.0)) as sink:
        for id in range(1, 4):
            runs = sink.runs
            sink.send(emotion(id))
            until(lambda runs=runs: sink.runs > runs)  # type: ignore[misc]
    # It would have failed if another had been there.
    assert said(caplog, "WARNING") == []
    assert sink.runs == 3


def test_no_shell_reads_it(file: Path) -> None:
    program = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    words = ["$HOME", "; touch x", "*", "a b", "`id`"]
    with closing(CommandSink(python(program, file, *words), 0.0)) as sink:
        sink.send(emotion(1))
        until(lambda: file.exists() and file.read_text() == repr(words))


def test_secrets_and_the_sockets_of_systemd_stay_with_the_daemon(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_STREAM_TOKEN", "secret-token")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("OF_MINE", "1")
    program = (
        "import os, sys; open(sys.argv[1], 'w').write(' '.join(os.environ) + ' end')"
    )
    with closing(CommandSink(python(program, file), 0.0)) as sink:
        sink.send(emotion(1))
        until(lambda: file.exists() and file.read_text().endswith(" end"))
    names = file.read_text().split()
    assert "OF_MINE" in names
    assert not {"SER_STREAM_TOKEN", "NOTIFY_SOCKET"} & set(names)


def test_a_failure_is_one_warning_with_its_last_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    program = "import sys; print('first', flush=True); sys.exit('no lamp there')"
    with closing(CommandSink(python(program), 0.0)) as sink:
        for _ in range(3):
            runs = sink.runs
            sink.send(emotion(1))
            until(lambda runs=runs: sink.runs > runs)  # type: ignore[misc]
        until(lambda: said(caplog, "DEBUG").count("on_emotion: no lamp there") == 3)
    (warning,) = said(caplog, "WARNING")
    assert warning == f"on_emotion: {sys.executable} ended with status 1: no lamp there"


def test_one_that_hangs_is_killed_with_its_children(
    file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 2.0)
    program = (
        "import os, sys, time\n"
        "if os.fork():\n"
        "    open(sys.argv[1], 'w').write(str(os.getpgid(0)) + ' ')\n"
        "time.sleep(600)"
    )
    with closing(CommandSink(python(program, file), 0.0)) as sink:
        sink.send(emotion(1))
        until(lambda: bool(said(caplog, "WARNING")))
        assert said(caplog, "WARNING")[0].endswith(
            "was killed, as it took more than 2 s"
        )
        group = int(file.read_text())
        until(lambda: not alive(group))


def alive(group: int) -> bool:
    """Whether any process of a group still runs."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_what_it_leaves_in_the_background_is_its_own_affair(file: Path) -> None:
    # The child keeps the output open, as `notify &` in a script does.
    program = (
        "import os, sys, time\n"
        "child = os.fork()\n"
        "if child: open(sys.argv[1], 'w').write(f'{child} ')\n"
        "else: time.sleep(600)"
    )
    with closing(CommandSink(python(program, file), 0.0)) as sink:
        for _ in range(2):
            runs = sink.runs
            sink.send(emotion(1))
            until(lambda runs=runs: sink.runs > runs)  # type: ignore[misc]
            until(lambda: file.exists() and file.read_text().endswith(" "))
            child = int(file.read_text())
            file.unlink()
            os.kill(child, signal.SIGKILL)


def test_much_output_and_an_unread_input_hold_nothing_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    program = "import sys; sys.stdin.close(); sys.stdout.write('x' * 1_000_000)"
    with closing(CommandSink(python(program), 0.0)) as sink:
        sink.send(emotion(1))
        until(
            lambda: any(m.startswith("on_emotion: xxx") for m in said(caplog, "DEBUG"))
        )
    assert said(caplog, "WARNING") == []


def test_the_end_of_the_program_waits_a_second_and_no_longer(file: Path) -> None:
    program = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(600)"
    sink = CommandSink(python(program, file), 0.0)
    sink.send(emotion(1))
    until(file.exists)
    sink.send(emotion(2))
    before = time.monotonic()
    sink.close()
    assert 0.9 < time.monotonic() - before < 300
    sink.send(emotion(3))
    assert sink.runs == 1


def test_it_can_be_changed_and_taken_away_while_it_runs(file: Path) -> None:
    with closing(CommandSink(None, 1.0)) as sink:
        sink.send(emotion(1))
        sink.reconfigure(python(APPEND, file), 0.0)
        sink.send(emotion(2))
        until(lambda: ids(file) == [2])
        with pytest.raises(ConfigError, match="no command 'ser-stream-nonsense'"):
            sink.reconfigure(["ser-stream-nonsense"], 0.0)
        sink.send(emotion(3))
        until(lambda: ids(file) == [2, 3])
        sink.reconfigure(None, 0.0)
        sink.send(emotion(4))
        assert sink.runs == 2


@pytest.mark.parametrize("words", [[], [""], ["nonsense-x"], ["/etc/passwd"], ["/etc"]])
def test_a_command_that_is_none_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="there is no command"):
        CommandSink(words, 1.0)


def test_listen_runs_it_and_refuses_one_that_is_not_there(file: Path) -> None:
    clip = ("listen", "--input", DATA / "emodb_minute.flac", "--pace", "fast")
    done = run(*clip, "--on-emotion", "nonsense-x --loud")
    assert done.returncode == 2
    assert "--on-emotion: on_emotion: there is no command 'nonsense-x'" in error_line(
        done
    )
    done = run(*clip, "--on-emotion", f"tee -a '{file}'", "--on-emotion-every", "0.01")
    assert done.returncode == 0
    began = [
        m["id"]
        for m in messages(done.stdout)
        if m["type"] == "emotion" and m["phase"] == "start"
    ]
    heard = ids(file)
    assert heard
    assert set(heard) <= set(began)


def test_a_reload_with_a_bad_command_changes_nothing_and_a_good_one_counts(
    tmp_path: Path,
) -> None:
    config, old, new = (tmp_path / name for name in ("config.toml", "old", "new"))
    config.write_text(f"on_emotion = \"tee -a '{old}'\"\n")
    with running_daemon("--config", config) as daemon:
        config.write_text('step = 0.3\non_emotion = "nonsense-x"\n')
        with pytest.raises(RefusedError, match=r":2: on_emotion: there is no command"):
            control("reload", daemon.socket)
        until(lambda: bool(ids(old)))
        config.write_text(f"on_emotion = \"tee -a '{new}'\"\n")
        assert control("reload", daemon.socket)["changed"] == ["on_emotion"]
        until(lambda: bool(ids(new)))
        assert daemon.stop() == 0
