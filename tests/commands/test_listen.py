"""`ser-stream listen` as a real process: what it says, and how it ends."""

import contextlib
import os
import pty
import signal
import subprocess
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import (
    COMMAND,
    ENVIRONMENT,
    error_line,
    messages,
    predictions,
    run,
    signalled,
    start,
)
from tests.helpers.socket_server import wait_until

CLIP = DATA / "15a02Ac.flac"


def test_every_line_of_a_minute_is_what_the_protocol_says() -> None:
    done = run("listen", "--input", MINUTE, "--pace", "fast")
    assert done.returncode == 0
    assert done.stderr == b""
    said = messages(done.stdout)
    assert said[0]["type"] == "hello"
    assert said[-1] == {"type": "bye", "reason": "shutdown"}
    numbered = [m["seq"] for m in said if "seq" in m]
    assert numbered == list(range(1, len(numbered) + 1))
    steps = [m for m in said if m["type"] == "prediction"]
    # The last due sample of 960,000 is 8200 + 3200 * 297.
    assert [m["end_ms"] for m in steps] == [512.5 + 200 * n for n in range(298)]
    labels = set(said[0]["model"]["labels"])
    for step in steps:
        if step["state"] == "no_speech":
            assert step["label"] is step["scores"] is step["confidence"] is None
        else:
            assert step["label"] in labels | {"uncertain"}
            assert set(step["scores"]) == labels
            assert sum(step["scores"].values()) == pytest.approx(1, abs=1e-3)
            assert step["confidence"] == max(step["scores"].values())


def test_a_minute_of_speech_has_emotions_that_begin_and_end() -> None:
    said = messages(run("listen", "--input", MINUTE, "--pace", "fast").stdout)
    emotions = [m for m in said if m["type"] == "emotion"]
    starts = [m for m in emotions if m["phase"] == "start"]
    ends = [m for m in emotions if m["phase"] == "end"]
    assert len(starts) >= 3
    assert [m["id"] for m in starts] == [m["id"] for m in ends]
    assert [m["id"] for m in starts] == list(range(1, len(starts) + 1))
    silent = [m for m in said if m.get("state") == "no_speech"]
    assert len(silent) >= 20, "the pauses of the recording are silence, not an emotion"


def test_fast_realtime_and_piped_in_odd_pieces_predict_the_same(
    tmp_path: Path,
) -> None:
    samples, rate = soundfile.read(MINUTE, dtype="int16", stop=8 * 16_000)
    wav = tmp_path / "eight.wav"
    soundfile.write(wav, samples, rate)
    fast = run("listen", "--input", wav, "--pace", "fast")
    paced = run("listen", "--input", wav)
    with subprocess.Popen(
        [*COMMAND, "listen", "--input", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        data, rng = wav.read_bytes(), np.random.default_rng(1)
        while data:
            size = int(rng.integers(1, 9000))
            process.stdin.write(data[:size])
            process.stdin.flush()
            data = data[size:]
        process.stdin.close()
        piped = process.stdout.read()
    assert len(predictions(fast.stdout)) == 38
    assert any(p["scores"] for p in predictions(fast.stdout))
    assert predictions(paced.stdout) == predictions(fast.stdout)
    assert predictions(piped) == predictions(fast.stdout)


def test_real_time_pace_takes_as_long_as_the_recording() -> None:
    begin = time.monotonic()
    done = run("listen", "--input", CLIP)
    assert time.monotonic() - begin >= soundfile.info(CLIP).duration
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_emotion_says_bye_and_leaves_with_0(
    number: signal.Signals,
) -> None:
    # Under nohup it would be ignored, here and in what is started.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    process = start("listen", "--input", MINUTE)
    signal.signal(signal.SIGHUP, before)
    said, errors = signalled(process, number, b'"phase":"start"')
    assert process.returncode == 0
    assert errors == b""
    heard = predictions(said)[-1]["end_ms"]
    assert heard < 50_000, "it went on to the end of its input"
    last = messages(said)[-2:]
    assert last[0]["type"] == "emotion"
    assert last[0]["phase"] == "end"
    assert last[1] == {"type": "bye", "reason": "shutdown"}


def test_under_nohup_it_goes_on_when_the_terminal_closes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            ["nohup", *COMMAND, "listen", "--input", str(MINUTE)],
            stdout=file,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
    wait_until(lambda: b"prediction" in out.read_bytes(), 60)
    process.send_signal(signal.SIGHUP)
    before = out.stat().st_size
    wait_until(lambda: out.stat().st_size > before + 1000, 60)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_reader_that_leaves_ends_it_silently() -> None:
    done = subprocess.run(
        f"{' '.join(COMMAND)} listen --input {MINUTE} --pace fast | head -1; "
        'echo "${PIPESTATUS[0]}"',
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    first, status = done.stdout.splitlines()
    assert first.startswith(b'{"type":"hello"')
    assert status == b"0"
    assert done.stderr == b""


def test_a_reader_that_leaves_a_live_stream_ends_it_too() -> None:
    process = start("listen", "--input", MINUTE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert errors == b""


def test_text_is_for_terminals_and_json_for_pipes() -> None:
    text = run("listen", "--input", CLIP, "--pace", "fast", "--format", "text")
    assert text.stdout.startswith(b"hearing 15a02Ac.flac with model open")
    assert b"{" not in text.stdout
    assert b"\r" not in text.stdout


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(8000, "PCM_16", 1), (44_100, "PCM_24", 2), (96_000, "FLOAT", 6)],
)
def test_any_rate_width_and_number_of_channels_simply_works(
    tmp_path: Path, rate: int, subtype: str, channels: int
) -> None:
    import soxr

    samples, _ = soundfile.read(MINUTE, dtype="float32", stop=8 * 16_000)
    other = soxr.resample(samples, 16_000, rate)
    path = tmp_path / "other.wav"
    soundfile.write(path, np.tile(other[:, None], channels), rate, subtype)
    done = run("listen", "--input", path, "--pace", "fast")
    assert done.returncode == 0
    assert messages(done.stdout)[0]["audio"]["device_rate"] == rate
    assert any(p["state"] == "speech" for p in predictions(done.stdout))


def test_raw_samples_come_by_rate_and_channels() -> None:
    samples, _ = soundfile.read(CLIP, dtype="int16")
    mono = run("listen", "--input", "-", "--raw", stdin=samples.tobytes())
    stereo = np.repeat(samples, 2).tobytes()
    both = run("listen", "--input", "-", "--channels", "2", stdin=stereo)
    assert len(predictions(mono.stdout)) > 3
    assert predictions(both.stdout) == predictions(mono.stdout)


def test_an_odd_last_byte_is_ignored_with_a_warning() -> None:
    samples, _ = soundfile.read(CLIP, dtype="int16")
    raw = ("listen", "--input", "-", "--raw")
    even = run(*raw, stdin=samples.tobytes())
    odd = run(*raw, stdin=samples.tobytes() + b"x")
    assert odd.returncode == 0
    assert "last byte is ignored" in error_line(odd)
    assert predictions(odd.stdout) == predictions(even.stdout)


def test_step_and_window_change_how_often_and_how_much() -> None:
    done = run(
        "listen", "--input", CLIP, "--pace", "fast", "--step", "0.5", "--window", "1"
    )
    said = messages(done.stdout)
    assert said[0]["audio"]["step_ms"] == 500
    assert said[0]["audio"]["window_ms"] == 1012.5
    steps = [m for m in said if m["type"] == "prediction"]
    assert [m["end_ms"] for m in steps] == [512.5, 1012.5, 1512.5]
    assert all(m["end_ms"] - m["start_ms"] <= 1012.5 for m in steps)


def test_the_configuration_file_is_read_and_flags_win(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('pace = "fast"\nstep = 0.3\n[smoothing]\nuncertain = 1.0\n')
    clip = ("listen", "--config", path, "--input", CLIP)
    said = messages(run(*clip).stdout)
    assert said[0]["audio"]["step_ms"] == 300
    heard = {m["label"] for m in said if m["type"] == "prediction"}
    assert heard == {None, "uncertain"} or heard == {"uncertain"}
    assert not [m for m in said if m["type"] == "emotion"]
    assert messages(run(*clip, "--step", "0.4").stdout)[0]["audio"]["step_ms"] == 400


def test_nothing_heavy_is_loaded_by_listen() -> None:
    code = (
        "import sys\nfrom ser_stream.cli import run\n"
        f"run(['listen', '--input', {str(CLIP)!r}, '--pace', 'fast'])\n"
        "heavy = 'torch librosa scipy sklearn pandas sympy matplotlib onnx training "
        "export ser_stream.nn sounddevice rich tomlkit'.split()\n"
        "sys.stderr.write(' '.join(m for m in heavy if m in sys.modules))\n"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code], capture_output=True, env=ENVIRONMENT, check=True
    )
    assert done.stderr.decode() == ""
    assert messages(done.stdout)[-1]["type"] == "bye"


@pytest.mark.parametrize("output", ["/dev/full"])
def test_a_full_disk_under_standard_output_ends_it_without_a_traceback(
    output: str,
) -> None:
    if not os.path.exists(output):  # noqa: PTH110
        pytest.skip(f"there is no {output} here")
    with open(output, "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, "listen", "--input", str(CLIP), "--pace", "fast"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=120,
            check=False,
        )
    assert done.returncode == 5
    assert "No space left on device" in error_line(done)


def test_one_emotion_does_not_begin_before_the_last_one_ended() -> None:
    said = messages(run("listen", "--input", MINUTE, "--pace", "fast").stdout)
    ends = [m for m in said if m["type"] == "emotion" and m["phase"] == "end"]
    assert len(ends) > 3
    for before, after in pairwise(ends):
        assert after["start_ms"] >= before["end_ms"]


def test_the_wall_clock_of_an_event_is_t0_plus_its_audio_time() -> None:
    said = messages(run("listen", "--input", CLIP).stdout)
    t0 = datetime.fromisoformat(said[0]["t0"])
    timed = [m for m in said if "time" in m]
    assert timed
    for message in timed:
        at = datetime.fromisoformat(message["time"])
        elapsed_ms = (at - t0).total_seconds() * 1000
        assert elapsed_ms == pytest.approx(message["end_ms"], abs=1.0)


def test_nothing_is_written_to_the_home_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "listen", "--input", str(CLIP), "--pace", "fast"],
        env={**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--input", str(MINUTE), "--pace", "fast"),  # fills the pipe, and waits
        ("--input", "-"),  # waits for the first samples
    ],
)
def test_a_signal_ends_it_without_a_reader_and_without_input(
    arguments: tuple[str, ...],
) -> None:
    with subprocess.Popen(
        [*COMMAND, "listen", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        wait_until_asleep(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def wait_until_asleep(process: "subprocess.Popen[bytes]") -> None:
    """Until it catches SIGTERM and has waited for something half a second long."""
    looks = 0
    while looks < 20:
        time.sleep(0.025)
        assert process.poll() is None
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        )
        caught = int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1
        looks = looks + 1 if caught and status["State"].startswith("S") else 0


def test_text_on_a_terminal_is_rewritten_and_ends_on_a_clean_line() -> None:
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "listen", "--input", str(CLIP), "--pace", "fast"],
        stdout=side,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        os.close(side)
        shown = b""
        # Reading a terminal whose other side is closed is an error, EIO.
        with contextlib.suppress(OSError):
            while data := os.read(main, 4096):
                shown += data
        assert process.wait(timeout=120) == 0
    os.close(main)
    assert b"hearing 15a02Ac.flac" in shown
    assert b"\r" in shown
    assert shown.endswith(b"\r\x1b[K")
