"""One daemon that hears several recordings: told apart, asked, chosen, and ended."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.client import RefusedError, connect, control
from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import error_line, messages, run
from tests.helpers.protocol_schema import validate
from tests.helpers.running_daemon import RunningDaemon, running_daemon

CLIP = DATA / "03a01Wa.flac"


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute, with a party on each channel."""
    minute, rate = soundfile.read(MINUTE, dtype="float32")
    half = minute[: 30 * rate]
    path = tmp_path_factory.mktemp("recordings") / "call.flac"
    soundfile.write(path, np.stack([half, np.roll(half, 7 * rate)], axis=1), rate)
    return path


def test_a_command_is_told_whose_emotion_it_is(tmp_path: Path) -> None:
    (tmp_path / "said.sh").write_text('#!/bin/sh\necho "$SER_STREAM_SOURCE" >> "$1"\n')
    (tmp_path / "said.sh").chmod(0o755)
    said = tmp_path / "said"
    run(
        *("listen", "--pace", "fast", "--input", f"desk={MINUTE}", "--input", CLIP),
        *("--on-emotion", f"{tmp_path}/said.sh {said}", "--on-emotion-every", "0"),
    )
    # What still waits at the end is not run: of the short one there may be none.
    assert {"desk"} <= set(said.read_text().split()) <= {"desk", CLIP.stem}


def test_lines_say_whose_they_are_and_a_cut_input_ends_alone(tmp_path: Path) -> None:
    cut = tmp_path / "cut.flac"
    cut.write_bytes(CLIP.read_bytes()[:-3000])
    done = run(
        *("listen", "--pace", "fast", "--input", f"whole={CLIP}", "--input", cut)
    )
    assert done.returncode == 1
    assert b"cut.flac is cut short" in done.stderr
    told = [validate(m) for m in messages(done.stdout)]
    assert told[-1] == {"type": "bye", "reason": "shutdown"}
    by_name = {n: [m for m in told if m.get("source") == n] for n in ("whole", "cut")}
    assert sum(map(len, by_name.values())) == len(told) - 1
    assert [m["state"] for m in by_name["cut"] if m["type"] == "status"] == ["ended"]
    # The one source of a daemon has no name, also if it was given one.
    alone = messages(run("listen", "--pace", "fast", "--input", f"x={CLIP}").stdout)
    assert not any("source" in m for m in alone)
    untimed = ("seq", "time", "latency_ms", "source")
    lines = [
        [
            {k: v for k, v in m.items() if k not in untimed}
            for m in of
            if m["type"] in ("prediction", "emotion")
        ]
        for of in (alone, by_name["whole"])
    ]
    assert lines[0] == lines[1] != []


def test_text_is_prefixed_and_what_cannot_be_is_refused(tmp_path: Path) -> None:
    done = run(
        *("listen", "--pace", "fast", "--format", "text"),
        *("--input", CLIP, "--input", f"b={CLIP}"),
    )
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert {line.partition(": ")[0] for line in lines} == {CLIP.stem, "b"}
    for flags, complaint in (
        (("--input", "gone=/nonexistent.wav"), "/nonexistent.wav"),
        (("--input", "c=mic", "--adapt"), "adapt is for one input"),
        (("--input", "b=" + str(CLIP)), "two inputs are called b"),
    ):
        refused = run("listen", "--input", f"b={CLIP}", *flags)
        assert refused.returncode == 2
        assert complaint in error_line(refused)
        assert refused.stdout == b""


@pytest.fixture(scope="module")
def daemon(call: Path) -> Iterator[RunningDaemon]:
    with running_daemon("--input", f"call={call}", "--channel", "each") as daemon:
        yield daemon


NAMES = [MINUTE.stem, "call.left", "call.right"]


def test_status_has_an_entry_for_each_and_one_can_be_asked_for(
    daemon: RunningDaemon,
) -> None:
    answer = control("status", daemon.socket)
    assert [one["name"] for one in answer["sources"]] == NAMES
    assert answer["audio"]["state"] == "healthy"
    one = control("status", daemon.socket, source="call.left")
    assert [one["name"] for one in one["sources"]] == ["call.left"]
    assert one["audio"]["device"] == "call.flac"
    text = run("status", "--socket", daemon.socket).stdout.decode()
    assert [name for name in NAMES if f"\n{name} " not in text] == []
    for arguments, complaint in (
        (("pause", "--source", "call"), "only a microphone can"),
        (("pause", "--source", "call.left"), "is a channel of call"),
        (("status", "--source", "nobody"), "there are: "),
        (("teach", "--label", "sad", "--last", "5s"), "by --source: "),
    ):
        done = run(*arguments, "--socket", daemon.socket)
        assert done.returncode == 1
        assert complaint in error_line(done)
    with pytest.raises(RefusedError, match="there is no source 'nobody'"):
        control("speakers.teach", daemon.socket, label="sad", last_s=1, source="nobody")


def test_a_subscriber_and_a_report_choose(daemon: RunningDaemon) -> None:
    uri = daemon.addresses[0]
    done = run("subscribe", uri, "--source", "call.left", "--count", "3")
    assert {m["source"] for m in messages(done.stdout)} == {"call.left"}
    with connect(uri, source=["call.right"], history=60, reconnect=False) as stream:
        numbers = [
            m["seq"] for m, _ in zip(stream, range(12), strict=False) if "seq" in m
        ]
    assert numbers == list(range(1, len(numbers) + 1))
    refused = run("report", uri)
    assert refused.returncode == 2
    assert f"choose one by --source: {', '.join(NAMES)}" in error_line(refused)
    one = json.loads(run("report", uri, "--source", "call.right", "--json").stdout)
    assert [each["device"] for each in one["runs"]] == ["call.flac"]
