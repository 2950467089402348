"""`ser-stream watch` on real terminals, and where there is none."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers import socket_server
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, run
from tests.helpers.recorded_events import until
from tests.helpers.socket_server import serving, wait_until
from tests.helpers.terminal import Terminal, terminal

SIZES = [(40, 12), (80, 24), (200, 50)]
STEADY = re.compile(r"steady +SAD +since \d\.\d s, \d\d % sure")


@pytest.fixture
def uri() -> Iterator[str]:
    with socket_server.socket_folder() as folder:
        yield f"unix://{folder}/s"


def say(server: SocketServer, seen: str = "sad") -> None:
    """What a daemon said of the minute until an emotion is steady."""
    wait_until(lambda: sum(server.subscribers.values()))
    for message in until(seen):
        server.send(message)


def is_whole(text: str, width: int, height: int) -> bool:
    """Whether every part of the view stands there, and nothing is cut."""
    rows = [row.rstrip() for row in text.rstrip("\n").split("\n")]
    return (
        STEADY.search(text) is not None
        and len(rows) == height
        and len(rows[0]) == width
        and rows[0].startswith("emodb_minute.flac")
        and rows[0].endswith("● live")
        and all(
            re.search(rf"(?m)^{label} .* \d+ %", text)
            for label in ("angry", "fear", "happy", "neutral", "sad")
        )
        and re.search(r"level .*-\d+\.\d dBFS", text) is not None
        and "p  pause   f  freeze   q  quit" in rows[-1]
    )


def watched(window: Terminal, width: int, height: int) -> str:
    return window.wait_for(lambda text: is_whole(text, width, height))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_can_be_read_in_terminals_small_and_large(
    uri: str, width: int, height: int
) -> None:
    with serving(uri, begun=False) as server, terminal() as window:
        window.run(width, height, *COMMAND, "watch", uri)
        say(server)
        watched(window, width, height)
        window.press("q")
        window.wait_for(lambda text: "status 0" in text)


def test_it_follows_a_terminal_that_is_resized_while_it_runs(uri: str) -> None:
    with serving(uri, begun=False) as server, terminal() as window:
        window.run(80, 24, *COMMAND, "watch", uri)
        say(server)
        for width, height in [(80, 24), (40, 12), (200, 50), (60, 40), (40, 12)]:
            window.resize(width, height)
            watched(window, width, height)
        window.press("C-c")
        window.wait_for(lambda text: "status 0" in text)


def test_a_frozen_view_stands_still_and_then_goes_on(uri: str) -> None:
    with serving(uri, begun=False) as server, terminal() as window:
        window.run(80, 24, *COMMAND, "watch", uri)
        say(server, "angry")
        window.wait_for(lambda text: "ANGRY" in text)
        window.press("f")
        window.wait_for(lambda text: "■ FROZEN" in text)
        for message in until("sad")[len(until("angry")) :]:
            server.send(message)
        server.send(socket_server.status(9999, "recovering"))
        assert "ANGRY" in window.capture()
        window.press("f")
        window.wait_for(lambda text: "SAD" in text and "recovering" in text)


def test_a_daemon_that_ends_is_waited_for(uri: str) -> None:
    with terminal() as window:
        window.run(80, 24, *COMMAND, "watch", uri)
        window.wait_for(lambda text: "● reconnecting" in text)
        with serving(uri):
            window.wait_for(lambda text: "● live" in text)
        window.wait_for(lambda text: "● reconnecting" in text)
        with serving(uri, begun=False) as server:
            say(server)
            watched(window, 80, 24)


def test_what_cannot_be_paused_says_so(uri: str) -> None:
    with serving(uri) as server, terminal() as window:
        window.run(80, 24, *COMMAND, "watch", uri)
        wait_until(lambda: sum(server.subscribers.values()) >= 1)
        window.wait_for(lambda text: "test.wav" in text)
        window.press("p")
        window.wait_for(lambda text: "pause refused" in text)


def test_p_pauses_and_then_resumes_over_the_control_connection(uri: str) -> None:
    asked: list[str] = []

    async def control(do: str, _: Mapping[str, Any]) -> Mapping[str, Any]:
        if do != "status":
            asked.append(do)
            state = "paused" if do == "pause" else "resumed"
            server.send(socket_server.status(10 + len(asked), state))
        return {"subscribers": {"unix": 3}, "audio": {"lost_s": 2, "gaps": 1}}

    with serving(uri, control=control) as server, terminal() as window:
        window.run(80, 24, *COMMAND, "watch", uri)
        window.wait_for(lambda text: "subscribers 3 unix · lost 2 s in 1 gaps" in text)
        window.press("p")
        window.wait_for(lambda text: "● paused" in text and "is released" in text)
        window.wait_for(lambda text: "p  resume" in text)
        window.press("p")
        window.wait_for(lambda text: "● resumed" in text and "taken again" in text)
    assert asked == ["pause", "resume"]


def test_over_tcp_it_is_said_that_pause_needs_a_unix_socket() -> None:
    with serving("tcp://127.0.0.1:0") as server, terminal() as window:
        uri = str(server.addresses[0])
        window.run(90, 24, *COMMAND, "watch", uri)
        window.wait_for(lambda text: "test.wav" in text)
        window.press("p")
        window.wait_for(lambda text: f"on a Unix socket alone, not {uri}" in text)
        assert "subscribers not told here" in window.capture()


def test_a_wrong_token_ends_it_with_one_line() -> None:
    with serving("tcp://127.0.0.1:0", token="right") as server, terminal() as window:
        wrong = "SER_STREAM_TOKEN=wrong"
        uri = str(server.addresses[0])
        window.run(200, 24, "env", wrong, *COMMAND, "watch", uri)
        text = window.wait_for(lambda text: "status 5" in text)
        assert "ser-stream: error: tcp://" in text
        assert "token" in text


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
def test_some_terminals_get_lines(uri: str, variable: str) -> None:
    with serving(uri, begun=False) as server, terminal() as window:
        window.run(80, 24, "env", variable, *COMMAND, "watch", uri)
        say(server)
        window.wait_for(
            lambda text: (
                "hearing emodb_minute.flac" in text
                and "sad        begins, confidence" in text
            )
        )


def test_a_pipe_gets_lines(uri: str) -> None:
    with (
        serving(uri, begun=False) as server,
        subprocess.Popen(
            [*COMMAND, "watch", "--socket", uri],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as process,
    ):
        say(server)
        assert process.stdout is not None
        said = ""
        while "sad        begins" not in said:
            said += process.stdout.readline().decode()
        process.terminate()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b""
    assert said.startswith("hearing emodb_minute.flac with model open")
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["http://localhost:1"], 2, "page for browsers, whose daemon is at ws://"),
        (["unix:///s", "--socket", "/s"], 2, "an address or --socket, not both"),
        (["unix:///s", "--token-file", "/nowhere"], 2, "cannot read the token in /no"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    arguments: list[str], status: int, text: str
) -> None:
    done = run("watch", *arguments)
    assert done.returncode == status
    assert text in error_line(done)
    assert done.stdout == b""


def test_the_view_loads_no_pipeline(uri: str, tmp_path: Path) -> None:
    out = tmp_path / "loaded"
    code = (
        "import sys\nfrom ser_stream.cli import run\n"
        "status = run(['watch', sys.argv[1]])\n"
        "heavy = 'numpy onnxruntime sounddevice soundfile soxr torch'.split()\n"
        "found = [m for m in heavy if m in sys.modules]\n"
        "open(sys.argv[2], 'w').write(f'{found} {status} {\"textual\" in sys.modules}')"
    )
    with serving(uri, begun=False) as server, terminal() as window:
        window.run(80, 24, COMMAND[0], "-c", code, uri, str(out))
        say(server)
        watched(window, 80, 24)
        window.press("q")
        window.wait_for(lambda text: "status 0" in text)
    assert out.read_text() == "[] 0 True"
