"""`ser-stream subscribe` as a real process."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers import socket_server as hub_server
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, messages, run, start
from tests.helpers.protocol_schema import validate
from tests.helpers.socket_server import emotion, prediction, serving

TOKEN = "a-long-secret"
BYE = {"type": "bye", "reason": "shutdown"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with hub_server.socket_folder() as path:
        yield path


@pytest.fixture
def uri(folder: Path) -> str:
    return f"unix://{folder}/s"


def subscribed(server: SocketServer) -> None:
    """Wait until a subscriber has come."""
    hub_server.wait_until(lambda: sum(server.subscribers.values()) == 1)


@contextlib.contextmanager
def subscribing(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The running command; killed if it does not end by itself."""
    with start("subscribe", *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_pipe_gets_the_lines_of_the_daemon(uri: str) -> None:
    sent = [prediction(1), emotion(2, "start"), hub_server.status(3)]
    with serving(uri) as server, subscribing(uri, "--no-reconnect") as process:
        subscribed(server)
        for message in sent:
            server.send(message)
        server.close()
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b""
    lines = output.splitlines(keepends=True)
    assert [validate(line)["type"] for line in lines[:2]] == ["hello", "snapshot"]
    assert lines[0] == hub_server.hello().line
    assert lines[2:5] == [message.line for message in sent]
    assert messages(lines[5]) == [BYE]


def test_only_and_count_choose_events(uri: str) -> None:
    arguments = ("--only", "emotion,status", "--only", "adaptation", "--count", "3")
    with serving(uri) as server, subscribing(uri, *arguments) as process:
        subscribed(server)
        for seq in range(1, 30, 3):
            server.send(prediction(seq))
            server.send(emotion(seq + 1))
            server.send(hub_server.status(seq + 2))
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b""
    said = [message["type"] for message in messages(output)]
    assert said == ["hello", "snapshot", "emotion", "status", "emotion"]


def test_text_is_for_terminals(uri: str) -> None:
    with (
        serving(uri) as server,
        subscribing(uri, "--format", "text", "--no-reconnect") as process,
    ):
        subscribed(server)
        server.send(prediction(1))
        server.send(emotion(2, "start"))
        server.send(hub_server.status(3, "recovering"))
        server.close()
        output, _ = process.communicate(timeout=120)
    assert output.decode().splitlines() == [
        "hearing test.wav with model test (angry, fear, happy, neutral, sad)",
        "  0:00.1  angry      begins, confidence 0.74",
        "audio recovering: the microphone is gone",
    ]


def test_a_late_subscriber_is_shown_the_present_state(uri: str) -> None:
    with serving(uri) as server:
        server.send(emotion(1, "start"))
        server.send(prediction(2))
        with subscribing(uri, "--format", "text", "--count", "1") as process:
            subscribed(server)
            server.send(hub_server.status(3))
            output, _ = process.communicate(timeout=120)
    assert output.decode().splitlines()[1:] == [
        "  0:00.9  angry      since 0:00.1",
        "audio lost: the microphone is gone",
    ]


def test_on_a_terminal_it_is_rewritten_and_ends_on_a_clean_line(uri: str) -> None:
    main, side = pty.openpty()
    with (
        serving(uri) as server,
        subprocess.Popen(
            [*COMMAND, "subscribe", uri],
            stdout=side,
            stderr=side,
            env={**ENVIRONMENT, "TERM": "xterm", "NO_COLOR": ""},
        ) as process,
    ):
        os.close(side)
        subscribed(server)
        server.send(prediction(1))
        server.close()
        shown = b""
        while b"trying again" not in shown:
            shown += os.read(main, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0
    os.close(main)
    assert "hearing test.wav" in shown.decode()
    # What is logged does not hang on the prediction.
    assert b"0.80\r\x1b[K\r\x1b[Kser-stream: info: unix://" in shown


def test_the_terminal_is_not_steered_by_names_from_elsewhere() -> None:
    from ser_stream.protocol.text import TextRenderer

    fields = {**hub_server.status(1).fields, "detail": "a\x1b]0;b\x07\nc"}
    assert TextRenderer(live=False).text(fields) == "audio lost: a?]0;b??c\n"


def test_a_daemon_that_comes_back_is_found_again_and_that_is_said(uri: str) -> None:
    with serving(uri) as server:
        process = start("subscribe", uri, "--count", "1")
        subscribed(server)
    try:
        with serving(uri) as server:
            subscribed(server)
            server.send(emotion(1))
            output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    said = [message["type"] for message in messages(output)]
    assert said == ["hello", "snapshot", "bye", "hello", "snapshot", "emotion"]
    first, second = errors.decode().splitlines()
    assert f"{uri} said bye: shutdown; trying again until it is there" in first
    assert f"connected to {uri} again" in second
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("there", [True, False])
def test_a_signal_ends_it_in_order(
    uri: str, number: signal.Signals, there: bool
) -> None:
    with serving(*[uri] if there else []) as server, subscribing(uri) as process:
        if there:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(b'{"type":"hello"')
        else:
            assert process.stderr is not None
            assert b"nothing listens" in process.stderr.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b""
    assert server.dropped == 0


def test_it_leaves_with_its_reader_though_nothing_is_said(uri: str) -> None:
    with serving(uri) as server, subscribing(uri) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"type":"hello"')
        subscribed(server)
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0
        assert errors == b""


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["unix:///nowhere/s", "--no-reconnect"], 5, "nothing listens on unix:///no"),
        (["tcp://127.0.0.1:1", "--no-reconnect"], 5, "cannot connect to tcp://127"),
        (["http://localhost:1"], 2, "unknown address 'http://localhost:1'"),
        (["unix:relative"], 2, "a Unix socket is unix:// and an absolute path"),
        (["stdout:"], 2, "no address to subscribe to"),
        (["unix:///s", "--only", "emotion,anger"], 2, "there are no events anger"),
        (["unix:///s", "--count", "0"], 2, "see ser-stream subscribe --help"),
        (["unix:///s", "--token-file", "/nowhere"], 2, "cannot read the token in /no"),
        (["unix:///s", "--token-file", "/dev/null"], 2, "it is empty"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    arguments: list[str], status: int, text: str
) -> None:
    done = run("subscribe", *arguments)
    assert done.returncode == status
    assert text in error_line(done)
    assert done.stdout == b""


@pytest.mark.parametrize("kind", ["tcp", "ws"])
def test_the_token_comes_from_a_file_or_the_environment(
    folder: Path, kind: str
) -> None:
    path = folder / "token"
    path.write_text(TOKEN + "\n")
    with serving(f"{kind}://127.0.0.1:0", token=TOKEN) as server:
        uri = str(server.addresses[0])
        right = {**ENVIRONMENT, "SER_STREAM_TOKEN": TOKEN}
        wrong = {**ENVIRONMENT, "SER_STREAM_TOKEN": "nothing"}
        for environment, more in [(right, []), (wrong, ["--token-file", str(path)])]:
            with subprocess.Popen(
                [*COMMAND, "subscribe", uri, "--count", "1", *more],
                stdout=subprocess.PIPE,
                env=environment,
            ) as process:
                subscribed(server)
                server.send(emotion(1))
                output, _ = process.communicate(timeout=120)
            assert messages(output)[-1]["type"] == "emotion"
            hub_server.wait_until(lambda: not sum(server.subscribers.values()))
        refused = run("subscribe", uri, environment=wrong)
    assert refused.returncode == 5
    assert "token" in error_line(refused)


def test_it_waits_in_silence_for_a_stream_that_has_not_begun(uri: str) -> None:
    with (
        serving(uri, begun=False) as server,
        subscribing(uri, "--count", "1") as process,
    ):
        subscribed(server)
        hub_server.begin(server)
        server.send(emotion(1))
        output, errors = process.communicate(timeout=120)
    assert [m["type"] for m in messages(output)] == ["hello", "snapshot", "emotion"]
    assert errors == b""


def test_subscribe_loads_no_pipeline(uri: str) -> None:
    code = (
        "import sys\nfrom ser_stream.cli import run\n"
        "status = run(['subscribe', sys.argv[1], '--count', '1', '--format', 'text'])\n"
        "heavy = 'numpy onnxruntime sounddevice soundfile soxr torch rich'.split()\n"
        "print([m for m in heavy if m in sys.modules], status, file=sys.stderr)\n"
    )
    with (
        serving(uri) as server,
        subprocess.Popen(
            [sys.executable, "-c", code, uri],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process,
    ):
        subscribed(server)
        server.send(emotion(1))
        _, errors = process.communicate(timeout=120)
    assert errors.decode() == "[] 0\n"
