"""`recognize --tell-speakers`: who speaks in recordings, as `listen` tells it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
from praatio import textgrid
from pyannote.database.util import load_rttm
from pympi import Eaf

from ser_stream.pipeline.values import SAMPLE_RATE
from tests.helpers.paths import DATA
from tests.helpers.program import ENVIRONMENT, error_line, messages, run
from tests.helpers.two_people import talk

CLIP = DATA / "15a02Ac.flac"
WITHOUT_ENCODER = """
import sys
from ser_stream.pipeline.voices import encoder
encoder.GRAPH = "missing.onnx"
from ser_stream.cli import main_and_exit
main_and_exit()
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in turn."""
    path = tmp_path_factory.mktemp("two") / "two people.wav"
    soundfile.write(path, talk()[0], SAMPLE_RATE)
    return path


@pytest.fixture(scope="module")
def row(two: Path) -> dict[str, Any]:
    done = run("recognize", "--tell-speakers", "--segments", two)
    assert done.returncode == 0, done.stderr
    (found,) = messages(done.stdout)
    return found


def test_numbers_are_those_of_listen(two: Path, row: dict[str, Any]) -> None:
    said = messages(
        run("listen", "--tell-speakers", "--pace", "fast", "--input", two).stdout
    )
    ends = [m for m in said if m["type"] == "emotion" and m["phase"] == "end"]
    fields = ("label", "start_ms", "end_ms", "speaker")
    assert [[end[name] for name in fields] for end in ends] == [
        [segment[name] for name in fields] for segment in row["segments"]
    ]
    numbers = [m["speaker"] for m in said if m["type"] == "prediction"]
    assert row["speakers"] == [n for n in dict.fromkeys(numbers) if n is not None]
    assert len(row["speakers"]) == 2
    assert {segment["speaker"] for segment in row["segments"]} == set(row["speakers"])


def test_who_does_not_ask_gets_the_columns_as_they_were(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    # The key is for streams.
    config.write_text("tell_speakers = true\n")
    done = run("recognize", "--segments", two, "--config", config)
    (plain,) = messages(done.stdout)
    assert plain == {
        **{name: value for name, value in row.items() if name != "speakers"},
        "segments": [
            {name: value for name, value in segment.items() if name != "speaker"}
            for segment in row["segments"]
        ],
    }
    text = run("recognize", "--format", "csv", two, "--config", config).stdout.decode()
    assert "speaker" not in text.splitlines()[0]


def test_processes_and_a_run_that_goes_on_say_the_same(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    done = run("recognize", "--tell-speakers", "--segments", "-j", "2", two, CLIP, two)
    found = messages(done.stdout)
    assert [found[0], found[2]] == [row, row]
    # Too short to tell a new voice.
    assert found[1]["speakers"] == []

    out, bad = tmp_path / "rows.jsonl", tmp_path / "bad.wav"
    bad.write_text("no audio")
    asked = ("recognize", "--segments", two, bad, "--out", out)
    assert run(*asked, "--tell-speakers").returncode == 1
    for flags in ((), ("--tell-speakers", "--most-speakers", "2")):
        other = run(*asked, *flags)
        assert other.returncode == 2
        assert "a run with another model or other settings" in error_line(other)
    assert run(*asked, "--tell-speakers").returncode == 1
    assert messages(out.read_bytes()) == [row]


def test_tables_have_columns_for_it(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    asked = ("recognize", "--tell-speakers", two)
    text = run(*asked, "--segments", "--format", "csv").stdout.decode()
    (found,) = csv.DictReader(io.StringIO(text))
    assert list(found)[-2:] == ["speakers", "segments"]
    assert json.loads(found["speakers"]) == row["speakers"]
    assert json.loads(found["segments"]) == row["segments"]
    shown = run(*asked, "--segments", "--format", "text").stdout.decode()
    numbers = ", ".join(map(str, row["speakers"]))
    assert f"(speakers {numbers})" in shown
    assert shown.count("  speaker ") == len(row["segments"])
    place = tmp_path / "rows.parquet"
    done = run(*asked, "--segments", "--format", "parquet", "--out", place)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(place)
    assert list(table.columns)[-2:] == ["speakers", "segments"]
    assert list(table.speakers[0]) == row["speakers"]
    assert list(table.segments[0]) == row["segments"]


def test_documents_have_a_place_for_it(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    numbers = [str(segment["speaker"]) for segment in row["segments"]]
    made = {}
    for format in ("rttm", "textgrid", "eaf", "srt", "audacity"):
        made[format] = tmp_path / f"made.{format}"
        done = run(
            *("recognize", "--tell-speakers", two, "--format", format),
            *("--out", made[format]),
        )
        assert done.returncode == 0, done.stderr
    (annotation,) = load_rttm(str(made["rttm"])).values()  # type: ignore[no-untyped-call]
    assert [n for _, _, n in annotation.itertracks(yield_label=True)] == numbers
    fields = [line.split() for line in made["rttm"].read_text().splitlines()]
    assert [line[6] for line in fields] == [s["label"] for s in row["segments"]]
    grid = textgrid.openTextgrid(str(made["textgrid"]), False, reportingMode="error")
    assert grid.tierNames == ("emotion", "confidence", "speaker")
    assert [entry.label for entry in grid.getTier("speaker").entries] == numbers
    tier = Eaf(str(made["eaf"])).get_annotation_data_for_tier("speaker")
    assert [text for _, _, text in sorted(tier)] == numbers
    first = f"{numbers[0]}: {row['segments'][0]['label']} 0."
    for format in ("srt", "audacity"):
        assert first in made[format].read_text()


def test_each_channel_and_silence_have_numbers_of_their_own(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    samples = soundfile.read(two)[0]
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, [[x, 0.0] for x in samples], SAMPLE_RATE)
    done = run(
        *("recognize", "--tell-speakers", "--segments", "--channel", "each", stereo)
    )
    left, right = messages(done.stdout)
    assert left["segments"] == row["segments"]
    assert (right["speakers"], right["segments"]) == ([], [])


def test_speakers_of_two_channels_have_two_names_in_rttm(
    two: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    samples = soundfile.read(two)[0]
    stereo, out = tmp_path / "stereo.wav", tmp_path / "stereo.rttm"
    soundfile.write(stereo, [[x, x] for x in samples], SAMPLE_RATE)
    done = run(
        *("recognize", "--tell-speakers", "--channel", "each", stereo),
        *("--format", "rttm", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    (annotation,) = load_rttm(str(out)).values()  # type: ignore[no-untyped-call]
    numbers = row["speakers"]
    names = {f"{channel}_{number}" for channel in (1, 2) for number in numbers}
    assert set(annotation.labels()) == names
    lines = [line.split() for line in out.read_text().splitlines()]
    assert all(line[7].startswith(f"{line[2]}_") for line in lines)


def test_one_speaker_is_no_speakers(two: Path) -> None:
    asked = ("recognize", two, "--format", "text", "--tell-speakers")
    shown = run(*asked, "--most-speakers", "1").stdout.decode()
    assert "(speaker 1)" in shown


def test_without_the_encoder_of_voices_both_commands_say_the_same(two: Path) -> None:
    lines = []
    for command in (
        ("listen", "--pace", "fast", "--input", str(two)),
        ("recognize", str(two)),
        ("recognize", "--jobs", "2", str(two), str(CLIP)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_ENCODER, *command, "--tell-speakers"],
            capture_output=True,
            env=ENVIRONMENT,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout) == (4, b"")
        lines.append(error_line(done))
    assert "missing.onnx" in lines[0]
    assert set(lines) == {lines[0]}


def test_how_many_are_told_apart_has_bounds_and_is_minded(two: Path) -> None:
    asked = ("recognize", two, "--tell-speakers", "--most-speakers")
    done = run(*asked, "17")
    assert done.returncode == 2
    assert "most_speakers is 17; allowed: 1 to 16" in error_line(done)
    (one,) = messages(run(*asked, "1").stdout)
    assert len(one["speakers"]) >= 1
