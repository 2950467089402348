"""Bad input: one clear line on standard error, the right status, nothing half-said."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.bundle import sealed
from tests.helpers.paths import DATA, OPEN
from tests.helpers.program import (
    COMMAND,
    ENVIRONMENT,
    error_line,
    messages,
    predictions,
    run,
)

CLIP = DATA / "15a02Ac.flac"


def make_text(path: Path) -> None:
    path.write_text("this is no audio\n")


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_cut_header(path: Path) -> None:
    soundfile.write(path, np.zeros(100), 16_000)
    path.write_bytes(path.read_bytes()[:30])


def make_no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_text, "is not audio"),
        (make_empty, "is empty"),
        (make_cut_header, "is not audio"),
        (make_no_samples, "holds no samples"),
    ],
)
@pytest.mark.parametrize(
    "command", [("listen", "--pace", "fast", "--input"), ("recognize",)]
)
def test_a_file_that_is_no_good_is_said_so_in_a_line(
    tmp_path: Path, make: Callable[[Path], None], reason: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    done = run(*command, path)
    assert done.returncode == (1 if command == ("recognize",) else 2)
    assert reason in error_line(done)
    assert "bad.wav" in error_line(done)
    said = messages(done.stdout)
    assert [m["type"] for m in said[-1:]] in ([], ["bye"])


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_what_is_there_of_a_file_cut_short_is_used_then_reported(
    tmp_path: Path, suffix: str
) -> None:
    samples, rate = soundfile.read(DATA / "emodb_minute.flac", stop=6 * 16_000)
    path = tmp_path / f"cut{suffix}"
    soundfile.write(path, samples, rate)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    done = run("listen", "--input", path, "--pace", "fast")
    assert done.returncode == 1
    assert f"cut{suffix} is cut short at " in error_line(done)
    said = messages(done.stdout)
    assert said[-1]["type"] == "bye"
    assert sum(m["type"] == "prediction" for m in said) >= 5
    whole = run("recognize", path)
    assert whole.returncode == 1
    assert f"cut{suffix} is cut short at " in error_line(whole)
    (row,) = messages(whole.stdout)
    assert row["cut"] is True
    assert row["label"] is not None


def test_samples_that_are_no_numbers_are_a_gap_and_told_at_the_end(
    tmp_path: Path,
) -> None:
    samples, rate = soundfile.read(DATA / "emodb_minute.flac", stop=6 * 16_000)
    samples[40_000:40_003] = np.nan
    path = tmp_path / "bad.wav"
    soundfile.write(path, samples, rate, "FLOAT")
    done = run("listen", "--input", path, "--pace", "fast")
    assert done.returncode == 1
    assert "bad.wav is damaged at 2.50 s: sample 40000 is not a" in error_line(done)
    said = messages(done.stdout)
    (lost,) = [m for m in said if m["type"] == "status"]
    assert (lost["state"], lost["detail"]) == ("overflow", "0.100 s of audio were lost")
    assert max(m["end_ms"] for m in said if m["type"] == "prediction") > 5500
    (row,) = messages(run("recognize", path).stdout)
    assert row["damaged"] is True
    assert row["duration_s"] == 6.0


def test_a_file_that_is_not_there_is_said_so() -> None:
    done = run("listen", "--input", "/nonexistent/a.wav")
    assert done.returncode == 2
    assert "there is no file /nonexistent/a.wav" in error_line(done)
    assert done.stdout == b""


def test_a_single_sample_gives_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    soundfile.write(path, np.zeros(1), 16_000)
    done = run("listen", "--input", path, "--pace", "fast")
    assert done.returncode == 0
    assert "the first prediction needs 0.5125 s" in error_line(done)
    assert [m["type"] for m in messages(done.stdout)] == [
        "hello",
        "snapshot",
        "bye",
    ]


def test_standard_input_without_audio_is_said_so() -> None:
    done = run("listen", "--input", "-", stdin=b"")
    assert done.returncode == 2
    assert "standard input is empty" in error_line(done)


@pytest.mark.parametrize(
    ("flags", "allowed"),
    [
        (("--step", "0.25"), "a multiple of 0.1 from 0.1 to 2"),
        (("--step", "0"), "a multiple of 0.1 from 0.1 to 2"),
        (("--step", "nan"), "a multiple of 0.1 from 0.1 to 2"),
        (("--window", "10"), "from 0.5125 to 2.9125 s"),
        (("--window", "0.1"), "from 0.5125 to 2.9125 s"),
        (("--pace", "slow"), "realtime"),
        (("--rate", "3"), "1000 to 768000"),
        (("--channels", "0"), "1 to 64"),
        (("--step", "fast"), "valid"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_a_flag_out_of_range_names_what_is_allowed(
    flags: tuple[str, ...], allowed: str
) -> None:
    done = run("listen", "--input", CLIP, *flags)
    assert done.returncode == 2
    assert allowed in error_line(done)
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("recognize --format flac a.wav", "recognize"),
        ("recognize --jobs", "recognize"),
        ("-v recognize --nonsense", "recognize"),
        ("tune", "tune"),
        ("speakers name --nonsense", "speakers name"),
        ("speakers names", "speakers"),
        ("--nonsense recognize", ""),
        ("recognizes", ""),
    ],
)
def test_wrong_usage_names_the_help_of_the_command(
    arguments: str, command: str
) -> None:
    done = run(*arguments.split())
    assert done.returncode == 2
    names = f"ser-stream {command}".strip()
    assert error_line(done).endswith(f"; see {names} --help")


def test_the_address_of_a_daemon_is_only_sent_to_a_flag_that_is_there() -> None:
    assert "goes to --socket" in error_line(run("status", "unix:///s"))
    assert error_line(run("serve", "tcp://127.0.0.1:8771")).endswith(
        "; an address to listen on goes to --listen"
    )
    assert error_line(run("listen", "unix:///s")).endswith(
        "see ser-stream listen --help"
    )


def test_an_unknown_key_of_the_configuration_suggests_the_nearest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("stepp = 0.2\n")
    done = run("listen", "--config", path, "--input", CLIP)
    assert done.returncode == 2
    assert "unknown key 'stepp'; did you mean step?" in error_line(done)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("step = [", "not valid TOML"),
        ('step = "fast"', "must be a number"),
        ("[gate]\nenter = 2.0", "0 < exit <= enter < 1"),
        ("[gate]\nmin_speech_s = 1e20", "at most 2"),
        ("[gate]\nmax_pause_s = 1e305", "at most 60"),
        ("[smoothing]\nenter = 0.1\nexit = 0.5", "must not be above enter"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    done = run("listen", "--config", path, "--input", CLIP)
    assert done.returncode == 2
    assert reason in error_line(done)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OPEN, tmp_path / "bundle"))


def change_manifest(bundle: Path, **changes: object) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text()) | changes
    (bundle / "manifest.json").write_text(json.dumps(sealed(manifest)))


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def refused(bundle: Path) -> str:
    done = run("listen", "--input", CLIP, "--pace", "fast", "--model", bundle)
    assert done.returncode == 4
    assert done.stdout == b""
    line = error_line(done)
    checked = run("model", "verify", bundle)
    assert checked.returncode == 4
    assert error_line(checked) == line
    return line


def test_a_whole_bundle_is_verified(bundle: Path) -> None:
    done = run("model", "verify", bundle)
    assert done.returncode == 0
    assert b"whole" in done.stdout


@pytest.mark.parametrize("name", ["encoder.onnx", "head.onnx"])
def test_a_flipped_bit_in_any_file_is_found(bundle: Path, name: str) -> None:
    flip(bundle / name, 500)
    assert f"{name} was changed or damaged" in refused(bundle)


def test_a_changed_manifest_is_found(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace("angry", "hangry", 1))
    assert "was changed after it was written" in refused(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "head.onnx").unlink()
    assert "head.onnx is missing" in refused(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    assert "is not a bundle" in refused(tmp_path)


def test_a_model_that_is_nowhere_lists_the_packaged_ones() -> None:
    done = run("model", "show", "nonsense")
    assert done.returncode == 4
    assert "there is no model 'nonsense'" in error_line(done)
    assert "open" in error_line(done)


def test_another_front_end_is_refused_with_what_differs(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["front_end"]["mfcc"]["hop_length"] = 160
    change_manifest(bundle, front_end=manifest["front_end"])
    assert "another front end" in refused(bundle)


def test_another_front_end_hash_is_refused(bundle: Path) -> None:
    change_manifest(bundle, front_end_hash="0" * 64)
    assert "another front end" in refused(bundle)


def test_labels_that_do_not_match_the_graph_are_refused(bundle: Path) -> None:
    change_manifest(bundle, labels=["angry", "happy"])
    assert "names 2 labels, but the graph gives 5" in refused(bundle)


def test_graphs_that_do_not_fit_each_other_are_refused(bundle: Path) -> None:
    shutil.copy(bundle / "head.onnx", bundle / "encoder.onnx")
    manifest = json.loads((bundle / "manifest.json").read_text())
    files = manifest["files"] | {"encoder.onnx": manifest["files"]["head.onnx"]}
    change_manifest(bundle, files=files)
    assert "do not fit" in refused(bundle)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperatures": [0.0]},
        {"temperatures": []},
        {"temperatures": [1.0] * 24},
        {"clip_temperature": None},
        {"geometry": {"frames_per_column": 0}},
        {"geometry": {"kept_frames": 1, "cold_columns": 1}},
        {"geometry": {"wings": 2}},
        {"geometry": [8, 38]},
        {"labels": ["angry", "angry"]},
        {"thresholds": {"nonsense": 1.0}},
        {"thresholds": {"enter": 0.1, "exit": 0.9}},
        {"front_end_hash": None},
        {"files": []},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    bundle: Path, changes: dict[str, object]
) -> None:
    change_manifest(bundle, **changes)
    assert str(bundle) in refused(bundle)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300 + ".wav", "File name too long"),
        ("", "is a folder"),
        ("/dev/null", "is no regular file"),
    ],
)
def test_a_path_that_is_no_file_is_said_so(
    tmp_path: Path, name: str, reason: str
) -> None:
    done = run("listen", "--input", tmp_path / name)
    assert done.returncode == 2
    assert reason in error_line(done)
    # A folder is allowed there, but this one is empty.
    expected = 1 if name else 2
    assert run("recognize", tmp_path / name).returncode == expected


@pytest.mark.parametrize("rate", [1, 2_000_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "rate.wav"
    soundfile.write(path, np.zeros(1000), rate)
    done = run("listen", "--input", path)
    assert done.returncode == 2
    assert "1000 to 768000" in error_line(done)


def test_a_name_that_is_no_utf_8_is_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"M\xfcller.flac")
    shutil.copy(CLIP, path)
    assert run("listen", "--pace", "fast", "--input", path).returncode == 0
    (row,) = messages(run("recognize", path).stdout)
    assert row["file"].endswith("ller.flac")


def test_compressed_audio_on_standard_input_is_decoded_not_read_as_noise() -> None:
    piped = run("listen", "--input", "-", stdin=CLIP.read_bytes())
    assert piped.returncode == 0
    named = run("listen", "--input", CLIP, "--pace", "fast")
    assert predictions(piped.stdout) == predictions(named.stdout)


def test_bare_samples_are_only_taken_where_somebody_says_that_they_are() -> None:
    samples, _ = soundfile.read(CLIP, dtype="int16")
    done = run("listen", "--input", "-", stdin=samples.tobytes())
    assert done.returncode == 2
    assert "begins like no container; samples without a header need --raw" in (
        error_line(done)
    )


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("listen --input - <&-", 2),
        ("listen --input - </dev/zero >&-", 5),
        ("report - <&-", 2),
        ("doctor --seconds 0.5 >&-", 5),
    ],
)
def test_closed_standard_streams_are_said_so(words: str, status: int) -> None:
    done = subprocess.run(
        f"{' '.join(COMMAND)} {words}",
        shell=True,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    assert "is closed" in error_line(done)
    assert done.returncode == status


@pytest.mark.parametrize(
    "arguments", [("recognize", str(CLIP)), ("model", "show", "--json"), ("--version",)]
)
def test_a_full_disk_and_a_reader_that_left_are_told_apart(
    arguments: tuple[str, ...],
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")

    def run_into(descriptor: int) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [*COMMAND, *arguments],
            stdout=descriptor,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            check=False,
        )

    with Path("/dev/full").open("wb") as full:
        done = run_into(full.fileno())
    assert done.returncode == 5
    assert "No space left on device" in error_line(done)
    read, write = os.pipe()
    os.close(read)
    done = run_into(write)
    os.close(write)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [(), ("model",)])
def test_no_command_shows_the_help(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout.decode().startswith("Usage:")
    assert done.stderr == b""
