"""`ser-stream recognize`: a line a file, through the same pipeline."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.bundle import load_bundle
from tests.helpers.paths import DATA
from tests.helpers.program import (
    COMMAND,
    ENVIRONMENT,
    messages,
    predictions,
    run,
    signalled,
    start,
)

CLIPS = sorted(DATA.glob("[01]*.flac"))


def test_each_file_gets_a_line_with_the_tempered_mean_of_its_scores() -> None:
    temperature = load_bundle("open").clip_temperature
    done = run("recognize", *CLIPS)
    assert done.returncode == 0
    rows = messages(done.stdout)
    assert [row["file"] for row in rows] == [str(path) for path in CLIPS]
    for row, path in zip(rows, CLIPS, strict=True):
        live = run("listen", "--input", path, "--pace", "fast")
        steps = [p for p in predictions(live.stdout) if p["scores"]]
        # A window of n columns is 100 n + 412.5 ms long.
        columns = [round((p["end_ms"] - p["start_ms"] - 412.5) / 100) for p in steps]
        assert columns[0] < columns[-1] <= 25
        assert row["duration_s"] == pytest.approx(
            soundfile.info(path).duration, abs=1e-3
        )
        assert 0 < row["speech_s"] <= row["duration_s"]
        means = {
            x: np.average([p["scores"][x] for p in steps], weights=np.square(columns))
            for x in row["scores"]
        }
        sharpened = {x: mean ** (1 / temperature) for x, mean in means.items()}
        for label, score in row["scores"].items():
            expected = sharpened[label] / sum(sharpened.values())
            assert score == pytest.approx(expected, abs=4e-4)
        assert row["label"] == max(row["scores"], key=row["scores"].get)
        assert row["confidence"] == row["scores"][row["label"]]


def test_segments_are_the_emotions_that_listen_reports() -> None:
    minute = DATA / "emodb_minute.flac"
    (row,) = messages(run("recognize", "--segments", minute).stdout)
    said = messages(run("listen", "--input", minute, "--pace", "fast").stdout)
    ends = [m for m in said if m["type"] == "emotion" and m["phase"] == "end"]
    keys = ("label", "start_ms", "end_ms", "confidence")
    assert row["segments"] == [{key: m[key] for key in keys} for m in ends]
    assert row["segments"]


def test_csv_has_a_column_a_label_and_json_the_same_numbers() -> None:
    text = run("recognize", "--format", "csv", *CLIPS[:2]).stdout.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    lines = messages(run("recognize", *CLIPS[:2]).stdout)
    for row, line in zip(rows, lines, strict=True):
        assert row["label"] == line["label"]
        assert {k: float(row[k]) for k in line["scores"]} == line["scores"]


def test_a_bad_file_is_reported_skipped_and_makes_the_status_1(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    done = run("recognize", CLIPS[0], bad, CLIPS[1])
    assert done.returncode == 1
    assert [m["file"] for m in messages(done.stdout)] == [str(CLIPS[0]), str(CLIPS[1])]
    assert "bad.wav is not audio" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_file_shorter_than_a_column_is_padded_and_marked(tmp_path: Path) -> None:
    samples, rate = soundfile.read(DATA / "15a02Ac.flac")
    short = tmp_path / "short.wav"
    soundfile.write(short, samples[4000:11_000], rate)
    (row,) = messages(run("recognize", short).stdout)
    assert row["short"] is True
    assert row["duration_s"] == pytest.approx(7000 / 16_000)
    assert row["label"] is not None
    one = tmp_path / "one.wav"
    soundfile.write(one, np.zeros(1), 16_000)
    (row,) = messages(run("recognize", one).stdout)
    assert row["short"] is True
    assert row["label"] is row["scores"] is None
    assert row["speech_s"] == 0


def test_silence_has_no_label(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(32_000), 16_000)
    done = run("recognize", path)
    (row,) = messages(done.stdout)
    assert row["label"] is None
    assert done.returncode == 0
    assert run("recognize", "--format", "text", path).stdout.startswith(b"no speech")


def test_show_gives_the_manifest() -> None:
    manifest = json.loads(run("model", "show", "--json").stdout)
    assert manifest["labels"] == ["angry", "fear", "happy", "neutral", "sad"]
    assert b"EmoDB (CC0-1.0)" in run("model", "show").stdout


def test_help_teaches_by_examples() -> None:
    text = run("listen", "--help").stdout.decode()
    assert "ser-stream listen --input" in text
    assert run("--version").stdout.startswith(b"ser-stream ")


def test_lines_reach_a_file_while_the_bar_shows_on_the_terminal(tmp_path: Path) -> None:
    main, side = pty.openpty()
    out = tmp_path / "rows.jsonl"
    with out.open("wb") as file:
        done = subprocess.run(
            [*COMMAND, "recognize", *map(str, CLIPS[:3])],
            stdout=file,
            stderr=side,
            env=ENVIRONMENT,
            check=False,
        )
    os.close(side)
    shown = os.read(main, 65_536)
    os.close(main)
    assert done.returncode == 0
    assert len(messages(out.read_bytes())) == 3
    assert b"recognizing" in shown


def test_ctrl_c_ends_it_quietly() -> None:
    with start("recognize", *CLIPS * 50) as process:
        said, errors = signalled(process, signal.SIGINT, b"\n")
    assert process.returncode == 0
    assert errors == b""
    assert 1 <= len(messages(said)) < 300


def test_sigterm_is_no_good_end_of_it() -> None:
    with start("recognize", *CLIPS * 50) as process:
        said, errors = signalled(process, signal.SIGTERM, b"\n")
    assert process.returncode == 130
    told = re.search(rb"stopped after (\d+) of 300 recordings\n$", errors)
    assert told is not None, errors
    # It may come between a row and its being counted.
    assert len(messages(said)) - int(told[1]) in (0, 1)


def test_a_long_step_of_the_configuration_does_not_pass_over_a_short_file() -> None:
    asked = run("recognize", "--step", "2", CLIPS[0])
    usual = run("recognize", CLIPS[0])
    (long,), (short,) = messages(asked.stdout), messages(usual.stdout)
    assert long == short
    assert b"step 2 s is for streams; recordings are heard at the 0.2 s" in asked.stderr
    assert not usual.stderr
