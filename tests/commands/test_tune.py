"""`ser-stream tune`: settings for labelled recordings."""

import contextlib
import csv
import json
import os
import pty
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_stream.commands.labels import read_labels
from ser_stream.config import build_config
from ser_stream.config.toml_file import read_settings
from ser_stream.errors import ConfigError
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.tuning.streams import Segment
from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, messages, run

CLIPS = sorted(DATA.glob("[01]*.flac"))
LABELS = dict(
    zip(
        [clip.name for clip in CLIPS],
        ["angry", "fear", "neutral", "sad", "fear", "boredom"],
        strict=True,
    )
)
"""EmoDB's own: its W, F, N, T, A and L."""
TUNED = (
    "uncertain",
    "enter",
    "exit",
    "memory_s",
    "lead",
    "heard_s",
)


def write_csv(path: Path, *rows: str, header: str = "file,label") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def clip_labels(tmp_path: Path) -> Path:
    rows = [f"{name},{label}" for name, label in LABELS.items()]
    return write_csv(tmp_path / "labels.csv", *rows)


@pytest.fixture
def minute_labels(tmp_path: Path) -> Path:
    with (DATA / "emodb_minute.csv").open() as file:
        rows = [
            f"{MINUTE.name},{float(row['start_ms']) / 1000},"
            f"{float(row['end_ms']) / 1000},{row['emotion']}"
            for row in csv.DictReader(file)
        ]
    return write_csv(tmp_path / "minute.csv", *rows, header="file,start_s,end_s,label")


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 27 seconds of the minute, in which all five emotions are."""
    path = tmp_path_factory.mktemp("beginning") / "beginning.wav"
    soundfile.write(path, soundfile.read(MINUTE, stop=27 * 16_000)[0], 16_000)
    return path


@pytest.fixture
def its_labels(beginning: Path, minute_labels: Path) -> Path:
    header, *rows = minute_labels.read_text().splitlines()
    said = [row.replace(MINUTE.name, beginning.name) for row in rows[:8]]
    return write_csv(minute_labels.with_name("its.csv"), *said, header=header)


def tuned(*arguments: str | Path) -> dict[str, Any]:
    done = run("tune", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (result,) = messages(done.stdout)
    return result


def active_ms(path: Path, *arguments: str | Path) -> list[tuple[str, float, float]]:
    """Emotions of `listen`: label, when its start came, when its end came."""
    done = run("listen", "--pace", "fast", "--input", path, *arguments)
    assert done.returncode == 0
    said = messages(done.stdout)
    found, begun, heard = [], 0.0, 0.0
    for message in said:
        if message["type"] == "prediction":
            heard = message["end_ms"]
        elif message["type"] == "emotion" and message["phase"] == "start":
            begun = message["end_ms"]
        elif message["type"] == "emotion" and message["phase"] == "end":
            found.append((message["label"], begun, heard))
    return found


def test_the_present_figures_are_what_listen_does(minute_labels: Path) -> None:
    present = tuned(MINUTE, "--labels", minute_labels)["present"]
    said = messages(run("listen", "--pace", "fast", "--input", MINUTE).stdout)
    with minute_labels.open() as file:
        segments = [
            (float(r["start_s"]) * 1000, float(r["end_s"]) * 1000, r["label"])
            for r in csv.DictReader(file)
        ]
    # Told from the lines alone: what is on when the emotions of a step have come.
    speech = covered = right = 0
    arrived: dict[float, float] = {}
    on: dict[float, str | None] = {}
    steps, now = [], None
    for message in said:
        if message["type"] == "prediction":
            steps.append(message)
        elif message["type"] == "emotion" and message["phase"] == "start":
            now = message["label"]
        elif message["type"] == "emotion" and message["phase"] == "end":
            now = None
            # If it still held in this step, it is a pause after it that ended it.
            if message["end_ms"] == steps[-1]["end_ms"]:
                continue
        if steps:
            on[steps[-1]["end_ms"]] = now
    for step in steps:
        for start, end, label in segments:
            if start < step["end_ms"] <= end and step["scores"]:
                speech += 1
                covered += on[step["end_ms"]] is not None
                right += on[step["end_ms"]] == label
                if on[step["end_ms"]] == label:
                    arrived.setdefault(start, step["end_ms"] - start)
    delays = [arrived.get(start, np.inf) for start, _, _ in segments]
    assert present["coverage"] == pytest.approx(covered / speech)
    assert present["right"] == pytest.approx(right / speech)
    assert present["changes"] == len(segments)
    assert present["missed"] == len(segments) - len(arrived)
    # Infinite where half of the changes are missed, which JSON cannot say.
    late = present["median_delay_s"]
    found = np.inf if late is None else 1000 * late
    assert found == pytest.approx(np.median(delays))


def checked_file(path: Path) -> dict[str, Any]:
    """The values of a configuration file, of which `listen` knows every key."""
    read_settings(path)
    return tomllib.loads(path.read_text())


def test_what_is_written_is_what_listen_then_uses(
    tmp_path: Path, minute_labels: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("# mine\nstep = 0.2\n\n[gate]\nmax_pause_s = 0.6\n")
    arguments = (MINUTE, "--labels", minute_labels, "--config", config)
    result = tuned(*arguments, "--write")
    assert result["written"] == str(config)
    assert result["best"]["smoothing"] != result["present"]["smoothing"]
    assert config.read_text().startswith("# mine\nstep = 0.2\n\n[gate]\nmax_pause")
    chosen = {name: result["best"]["smoothing"][name] for name in TUNED}
    assert checked_file(config)["smoothing"] == chosen
    # The same recordings with the new settings have the figures that were promised.
    again = tuned(*arguments)
    assert again["present"] == result["best"]
    assert again["best"] == result["best"]
    assert active_ms(MINUTE, "--config", config) != active_ms(MINUTE)


def test_without_write_nothing_is_written_and_the_lines_are_shown(
    tmp_path: Path, beginning: Path, its_labels: Path
) -> None:
    environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(tmp_path / "home")}
    done = run("tune", beginning, "--labels", its_labels, environment=environment)
    assert done.returncode == 0
    assert not (tmp_path / "home").exists()
    text = done.stdout.decode()
    for name in (*TUNED, "speech covered", "median delay", "flips a minute"):
        assert any(line.startswith(name) for line in text.splitlines())
    lines = tomllib.loads(text[text.index("[smoothing]") :])
    assert set(lines["smoothing"]) == set(TUNED)
    assert str(tmp_path / "home" / "ser-stream" / "config.toml") in text
    # With it, the user's own file is begun.
    run("tune", beginning, "--labels", its_labels, "--write", environment=environment)
    written = tmp_path / "home" / "ser-stream" / "config.toml"
    assert checked_file(written) == lines
    build_config(written, {})


def test_a_file_that_write_is_to_begin_need_not_be_there(
    tmp_path: Path, beginning: Path, its_labels: Path
) -> None:
    config = tmp_path / "new.toml"
    arguments = ("tune", beginning, "--labels", its_labels, "--config", config)
    done = run(*arguments)
    assert done.returncode == 2
    assert "cannot read" in error_line(done)
    assert run(*arguments, "--write").returncode == 0
    assert set(checked_file(config)) == {"smoothing"}


def test_whole_files_are_labelled_and_unknown_labels_counted(clip_labels: Path) -> None:
    done = run("tune", *CLIPS, "--labels", clip_labels, "--json")
    (result,) = messages(done.stdout)
    assert result["files"] == 5  # 16a04La.flac is all boredom
    assert result["segments"] == {"angry": 1, "fear": 2, "neutral": 1, "sad": 1}
    assert result["best"]["changes"] == 5
    assert result["held_out"]["changes"] == 5
    warnings = done.stderr.decode()
    assert "have no label" not in warnings
    assert "left out labels that model open does not know: boredom 1" in warnings
    assert "angry, fear, happy, neutral, sad" in warnings
    assert "few labels (segments: 5" in warnings
    assert "none was given for happy" in warnings


def test_files_are_named_by_name_path_or_the_end_of_it_and_case_does_not_matter(
    tmp_path: Path,
) -> None:
    rows = [
        f"{CLIPS[0].name},Angry",
        f"{CLIPS[1]}, FEAR ",
        f"data/{CLIPS[2].name},neutral",
    ]
    labels = tmp_path / "labels.csv"
    # As spreadsheets write: a byte order mark, CRLF, and empty lines.
    labels.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(["file,label", *rows, "", ""]).encode()
    )
    result = tuned(*CLIPS[:3], *CLIPS[:1], "--labels", labels)
    assert result["segments"] == {"angry": 1, "fear": 1, "neutral": 1}


def test_a_bad_file_is_reported_skipped_and_makes_the_status_1(
    tmp_path: Path, clip_labels: Path
) -> None:
    bad = tmp_path / CLIPS[0].name
    bad.write_text("no audio")
    done = run("tune", bad, *CLIPS[1:], "--labels", clip_labels, "--json")
    assert done.returncode == 1
    assert f"{bad} is not audio" in done.stderr.decode()
    (result,) = messages(done.stdout)
    assert (result["files"], result["failed"]) == (4, 1)


def test_of_a_file_that_turns_out_damaged_the_beginning_is_used(
    tmp_path: Path, clip_labels: Path
) -> None:
    cut = tmp_path / CLIPS[0].name
    cut.write_bytes(CLIPS[0].read_bytes()[:20_000])
    done = run("tune", cut, *CLIPS[1:], "--labels", clip_labels, "--json")
    assert done.returncode == 0
    assert f"{cut.name} is cut short at " in done.stderr.decode()
    (result,) = messages(done.stdout)
    assert (result["files"], result["failed"]) == (5, 0)


def test_recordings_without_labels_are_left_out_aloud(tmp_path: Path) -> None:
    labels = write_csv(tmp_path / "labels.csv", f"{CLIPS[0].name},angry")
    done = run("tune", *CLIPS[:3], "--labels", labels, "--json")
    assert done.returncode == 0
    assert "2 of the recordings have no label" in done.stderr.decode()
    assert "only angry is labelled" in done.stderr.decode()


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("file,emotion", "a,angry", "line 1: the columns are file,emotion; allowed: "),
        ("file;label", "a;angry", "allowed: file,label or file,start_s,end_s,label"),
        ("", "", "line 1: the columns are none"),
        ("file,label", "a.wav,angry", "line 2: a.wav is none of the recordings given"),
        ("file,label", ",angry", "line 2: an empty name is none"),
        ("file,label", "CLIP,angry,sad", "line 2: 3 cells, but the header has 2"),
        (
            "file,label",
            "CLIP,angry\nCLIP,sad",
            "line 3: the time is labelled in line 2",
        ),
        (
            "file,label",
            "CLIP,angri",
            "no label that the model knows (angri 1 (did you mean angry?)); allowed: "
            "angry, fear, happy, neutral, sad",
        ),
        ("file,label", "", "no label that the model knows; allowed: angry"),
        (
            "file,start_s,end_s,label",
            "CLIP,0,60,angry",
            "line 2: 0 to 60 s lies outside of",
        ),
        ("file,start_s,end_s,label", "CLIP,1,1,angry", "0 <= start_s < end_s"),
        ("file,start_s,end_s,label", "CLIP,-1,1,angry", "0 <= start_s < end_s"),
        ("file,start_s,end_s,label", "CLIP,nan,1,angry", "start_s is nan"),
        ("file,start_s,end_s,label", "CLIP,0:01,,angry", "end_s is empty"),
        (
            "label,file,end_s,start_s",
            "sad,CLIP,1,0\nsad,CLIP,1.5,0.9",
            "line 3: the time is labelled in line 2 already",
        ),
    ],
)
def test_labels_that_make_no_sense_name_the_line_and_what_is_allowed(
    tmp_path: Path, header: str, row: str, reason: str
) -> None:
    rows = row.replace("CLIP", CLIPS[0].name)
    path = write_csv(tmp_path / "labels.csv", rows, header=header)
    known = ("angry", "fear", "happy", "neutral", "sad")
    with pytest.raises(ConfigError) as raised:
        read_labels(path, CLIPS[:1], known).segments(CLIPS[0], path, 1.9)
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)


def test_such_labels_end_the_program_with_a_line_and_status_2(tmp_path: Path) -> None:
    rows = (f"{CLIPS[0].name},0,1,angry", f"{CLIPS[0].name},1,60,angry")
    labels = write_csv(
        tmp_path / "labels.csv", *rows, header="file,start_s,end_s,label"
    )
    done = run("tune", CLIPS[0], "--labels", labels)
    assert done.returncode == 2
    assert f"{labels}, line 3: 1 to 60 s lies outside of" in error_line(done)
    assert "allowed: 0 to 1.88 s" in error_line(done)
    assert done.stdout == b""


def test_times_may_be_rounded_but_not_by_much(tmp_path: Path) -> None:
    header = "file,start_s,end_s,label"
    path = write_csv(tmp_path / "l.csv", f"{CLIPS[0].name},1,1.95,sad", header=header)
    labels = read_labels(path, CLIPS[:1], ("sad",))
    assert labels.segments(CLIPS[0], path, 1.9) == [Segment(16_000, 30_400, "sad")]


def test_a_name_that_two_recordings_have_is_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.flac").write_bytes(CLIPS[0].read_bytes())
    files = [tmp_path / "one" / "a.flac", tmp_path / "two" / "a.flac"]
    labels = write_csv(tmp_path / "labels.csv", "a.flac,angry")
    done = run("tune", *files, "--labels", labels)
    assert done.returncode == 2
    assert "a.flac may be any of" in error_line(done)
    write_csv(labels, "two/a.flac,angry")
    assert tuned(*files, "--labels", labels)["files"] == 1


def test_labels_that_cannot_be_read_are_said_so(tmp_path: Path) -> None:
    done = run("tune", CLIPS[0], "--labels", tmp_path / "none.csv")
    assert done.returncode == 2
    assert "none.csv: No such file" in error_line(done)
    done = run("tune", CLIPS[0], "--labels", CLIPS[0])
    assert done.returncode == 2
    assert "no CSV in UTF-8" in error_line(done)


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        (("--min-coverage", "70"), "a share, 0 to 1"),
        (("--max-flips", "-1"), "0 or more"),
        (("--max-flips", "few"), "valid"),
    ],
)
def test_a_flag_out_of_range_names_what_is_allowed(
    clip_labels: Path, flags: tuple[str, ...], allowed: str
) -> None:
    done = run("tune", *CLIPS, "--labels", clip_labels, *flags)
    assert done.returncode == 2
    assert allowed in error_line(done)


def test_recordings_without_speech_leave_nothing_to_choose_by(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(32_000), 16_000)
    labels = write_csv(tmp_path / "labels.csv", "silence.wav,sad")
    done = run("tune", path, "--labels", labels)
    assert done.returncode == 2
    assert "there is no speech within" in error_line(done)


def test_a_rule_is_followed_or_said_to_be_out_of_reach(
    beginning: Path, its_labels: Path
) -> None:
    arguments = (beginning, "--labels", its_labels)
    strict = tuned(*arguments, "--max-flips", "0")
    assert strict["rule"] == {"min_coverage": 0.7, "max_flips": 0.0}
    if strict["satisfied"]:
        assert strict["best"]["flips_per_minute"] == 0
    asked = ("--min-coverage", "1", "--max-flips", "0")
    assert not tuned(*arguments, *asked)["satisfied"]
    text = run("tune", *arguments, *asked).stdout.decode()
    assert "No settings reach 100 % of speech covered" in text


def test_the_model_that_the_configuration_names_is_tuned(
    tmp_path: Path, beginning: Path, its_labels: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('model = "nowhere"\n')
    arguments = ("tune", beginning, "--labels", its_labels, "--config", config)
    assert run(*arguments).returncode == 4
    done = run(*arguments, "--model", "open", "--json")
    assert messages(done.stdout)[0]["sha256"] == load_bundle("open").sha256


def test_bars_of_both_phases_show_on_a_terminal(
    beginning: Path, its_labels: Path
) -> None:
    main, side = pty.openpty()
    command = [*COMMAND, "tune", str(beginning), "--labels", str(its_labels), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=side, env=ENVIRONMENT
    ) as process:
        os.close(side)
        # A terminal without a reader fills up; its end is an error on Linux.
        shown = b""
        with contextlib.suppress(OSError):
            while more := os.read(main, 65_536):
                shown += more
        output, _ = process.communicate(timeout=120)
    os.close(main)
    assert process.returncode == 0
    json.loads(output)
    assert b"predicting" in shown
    assert b"searching" in shown


def test_the_help_shows_what_a_csv_looks_like() -> None:
    text = run("tune", "--help").stdout.decode()
    assert "file,start_s,end_s,label" in text
    assert "monday.wav,0.5,4.2,angry" in text
