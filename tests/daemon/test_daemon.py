"""The daemon as a service: asked how it is, reloaded, paused, ended."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ser_stream.client import RefusedError, Stream, control
from ser_stream.config.edit import set_values
from tests.helpers.paths import OPEN
from tests.helpers.program import ENVIRONMENT, error_line, run
from tests.helpers.running_daemon import RunningDaemon, running_daemon
from tests.helpers.socket_server import wait_until


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as daemon:
        yield daemon


def until(stream: Stream, wanted: Any, most: int = 200) -> list[Any]:
    """The messages up to the first that is wanted, it included."""
    seen: list[Any] = []
    for message in stream:
        seen.append(message)
        if wanted(message):
            return seen
        assert len(seen) < most, seen[-3:]
    pytest.fail(f"the stream ended: {seen[-3:]}")


def is_status(what: str, state: str) -> Any:
    return lambda m: m["type"] == "status" and (m["what"], m["state"]) == (what, state)


def ends(messages: list[Any]) -> list[float]:
    return [m["end_ms"] for m in messages if m["type"] == "prediction"]


def test_a_subscriber_gets_hello_a_snapshot_and_then_every_event(
    daemon: RunningDaemon,
) -> None:
    with daemon.subscribe() as stream:
        seen = until(stream, lambda m: m["type"] == "prediction" and len(ends([m])))
        seen += until(stream, lambda m: m.get("seq", 0) % 7 == 0)
    assert [m["type"] for m in seen[:2]] == ["hello", "snapshot"]
    numbers = [m["seq"] for m in seen if "seq" in m]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_status_is_text_or_json(daemon: RunningDaemon) -> None:
    wait_until(lambda: control("status", daemon.socket)["steps"] > 0)
    done = run("status", "--socket", daemon.socket)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "emodb_minute.flac" in text
    assert f"pid {daemon.process.pid}" in text
    answer = json.loads(run("status", "--socket", daemon.socket, "--json").stdout)
    assert answer["audio"]["state"] == "healthy"
    assert answer["degraded"] is answer["paused"] is False
    assert answer["model"]["name"] == "open"
    assert answer["steps"] > 0
    assert answer["skipped"] == answer["audio"]["gaps"] == 0
    assert 20 < answer["rss_mb"] < 300


def test_no_daemon_is_status_3_in_one_line(tmp_path: Path) -> None:
    done = run("status", "--socket", tmp_path / "none.sock")
    assert done.returncode == 3
    assert "no daemon listens on" in error_line(done)


def test_a_recording_cannot_be_paused(daemon: RunningDaemon) -> None:
    done = run("pause", "--socket", daemon.socket)
    assert done.returncode == 1
    assert "only a microphone can" in error_line(done)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("step = 0.2\n")
    return path


def test_a_reload_swaps_the_model_and_settings_between_two_steps(
    config: Path, tmp_path: Path
) -> None:
    models = tmp_path / "data" / "ser-stream" / "models"
    shutil.copytree(OPEN, models / "mine")
    environment = {**ENVIRONMENT, "XDG_DATA_HOME": str(tmp_path / "data")}
    with (
        running_daemon("--config", config, environment=environment) as daemon,
        daemon.subscribe() as stream,
    ):
        before = until(stream, lambda m: m.get("end_ms", 0) > 1500)
        set_values(config, {"model": "mine", "smoothing": {"enter": 0.9}})
        answer = control("reload", daemon.socket)
        assert answer == {
            "model": "open",
            "changed": ["model", "smoothing.enter"],
            "needs_restart": [],
        }
        before += until(stream, is_status("model", "reloaded"))
        # The copy is the same model, so no other hello is due. A longer step is told.
        serve = {"max_streams": 9}
        set_values(config, {"step": 0.4, "metrics": "127.0.0.1:1", "serve": serve})
        daemon.process.send_signal(signal.SIGHUP)
        said = until(stream, lambda m: m["type"] == "hello")
        assert said[-2]["type"] == "status"
        assert said[-2]["detail"].endswith("only a restart brings: metrics")
        assert said[-1]["audio"]["step_ms"] == 400
        after = until(stream, lambda m: len(ends([m])) and m["end_ms"] > 4500)
        set_values(config, {"step": 0.2})
        daemon.process.send_signal(signal.SIGHUP)
        after += until(stream, lambda m: m["type"] == "hello")
        assert daemon.stop() == 0
    steps = ends(before + said)
    assert {b - a for a, b in pairwise(steps)} == {200}
    later = ends(after)
    assert {b - a for a, b in pairwise([steps[-1], *later])} <= {200, 400}
    # Also those up to the next hello, which tells that steps are short again.
    assert {b - a for a, b in pairwise(later)} == {400}


def test_a_reload_of_the_same_network_keeps_the_speech_that_it_heard(
    config: Path, tmp_path: Path
) -> None:
    environment = {**ENVIRONMENT, "XDG_STATE_HOME": str(tmp_path)}
    with (
        running_daemon("--config", config, environment=environment) as daemon,
        daemon.subscribe() as stream,
    ):
        until(stream, lambda m: m.get("end_ms", 0) > 8000)
        set_values(config, {"smoothing": {"enter": 0.9}})
        control("reload", daemon.socket)
        last = ("--label", "happy", "--last", "5s", "--socket", daemon.socket)
        done = run("teach", *last, environment=environment)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('model = "open"\nstepp = 0.2\n', "config.toml:2: unknown key 'stepp'"),
        ('model = "garbage"\n', "there is no model 'garbage'"),
        ("window = 99\n", "config.toml:1: window is 99"),
        ("x" * 20_000 + " = 1\n", "config.toml:1: unknown key 'xxx"),
    ],
)
def test_a_bad_reload_is_refused_and_the_old_stays(
    config: Path, text: str, complaint: str
) -> None:
    with (
        running_daemon("--config", config) as daemon,
        daemon.subscribe() as stream,
    ):
        config.write_text(text)
        with pytest.raises(RefusedError, match=re.escape(complaint)):
            control("reload", daemon.socket)
        seen = until(stream, is_status("model", "refused"))
        assert complaint in seen[-1]["detail"]
        seen += until(stream, lambda m: len(ends([m])) > 0)
        assert {b - a for a, b in pairwise(ends(seen))} <= {200}
        assert control("status", daemon.socket)["model"]["name"] == "open"


def test_a_damaged_model_is_refused_on_reload(config: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(OPEN, bundle)
    set_values(config, {"model": str(bundle)})
    with running_daemon("--config", config) as daemon:
        with (bundle / "head.onnx").open("r+b") as file:
            file.write(os.urandom(1000))
        done = run("reload", "--socket", daemon.socket)
        assert done.returncode == 1
        assert "changed or damaged" in error_line(done)
        assert control("status", daemon.socket)["audio"]["state"] == "healthy"


def test_sigterm_ends_it_in_order(config: Path) -> None:
    with running_daemon() as daemon, daemon.subscribe() as stream:
        until(stream, lambda m: m["type"] == "prediction")
        assert daemon.stop() == 0
        last = list(stream)[-1]
        assert last == {"type": "bye", "reason": "shutdown"}
        assert not daemon.socket.exists()
        assert "Traceback" not in daemon.log.read_text()
