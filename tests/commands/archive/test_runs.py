"""Many recordings: in order, whole, and going on where a run was stopped."""

import csv
import io
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.paths import DATA
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, messages, run, start
from tests.helpers.socket_server import wait_until

CLIPS = sorted(DATA.glob("[01]*.flac"))
MINUTE = DATA / "emodb_minute.flac"


def linked(folder: Path, count: int) -> list[Path]:
    """So many recordings of a minute."""
    folder.mkdir()
    paths = [folder / f"{k}.flac" for k in range(count)]
    for path in paths:
        path.symlink_to(MINUTE)
    return paths


@pytest.fixture
def minutes(tmp_path: Path) -> list[Path]:
    """Eight recordings that take a while."""
    return linked(tmp_path / "minutes", 8)


@pytest.fixture
def half_hour(tmp_path: Path) -> list[Path]:
    """Recordings that no machine has done before a signal comes."""
    return linked(tmp_path / "half-hour", 30)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, object]]:
    """Of the clips, in one process."""
    return messages(run("recognize", "--segments", *CLIPS).stdout)


def test_processes_give_the_same_rows_in_the_same_order(
    rows: list[dict[str, object]],
) -> None:
    done = run("recognize", "--segments", "--jobs", "2", *CLIPS)
    assert done.returncode == 0
    assert messages(done.stdout) == rows


def test_a_bad_file_among_processes_is_told_and_the_others_go_on(
    tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio at all")
    done = run("recognize", "--segments", "-j", "2", CLIPS[0], bad, *CLIPS[1:])
    assert done.returncode == 1
    assert "bad.wav is not audio: it is text" in error_line(done)
    assert messages(done.stdout) == rows


def children(pid: int) -> Iterator[int]:
    """Processes that a process has started."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def test_a_process_that_is_killed_loses_no_recording(minutes: list[Path]) -> None:
    with start("recognize", "--jobs", "2", *minutes) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        # One is the tracker of multiprocessing, which holds nothing.
        for pid in list(children(process.pid)):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"spawn_main" in command:
                os.kill(pid, signal.SIGKILL)
                break
        else:
            pytest.fail("there is no such process")
        assert process.stderr is not None
        # Not `communicate`, which passes over what was read with the first line.
        rest, errors = process.stdout.read(), process.stderr.read()
    assert errors == b""
    assert process.returncode == 0
    found = messages(first + rest)
    assert [row["file"] for row in found] == [str(path) for path in minutes]
    assert len({str(row["scores"]) for row in found}) == 1


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    half_hour: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "rows.csv"
    command: list[str | Path]
    command = ["recognize", "--format", "csv", "--out", out, *half_hour]
    journal = tmp_path / "rows.csv.part"
    with start(*command) as process:
        wait_until(lambda: n_lines(journal) > 1, 120)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"what is done is kept, and the same command goes on" in errors
    assert not out.exists()
    done = run(*command)
    assert done.returncode == 0
    assert "of 30 recordings are done already" in error_line(done)
    with out.open() as file:
        assert [row["file"] for row in csv.DictReader(file)] == [
            str(p) for p in half_hour
        ]
    assert not journal.exists()


@pytest.mark.parametrize("later_s", [0.1, 0.2, 0.4, 0.8])
def test_ctrl_c_of_a_terminal_reaches_no_process_that_only_begins(
    later_s: float, half_hour: list[Path]
) -> None:
    with subprocess.Popen(
        [*COMMAND, "recognize", "--jobs", "2", *half_hour],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    ) as process:

        def has_begun_one() -> bool:
            commands = [
                Path(f"/proc/{pid}/cmdline").read_bytes()
                for pid in children(process.pid)
            ]
            return any(b"spawn_main" in command for command in commands)

        wait_until(has_begun_one, 120)
        # While it loads its libraries, whenever that is here.
        time.sleep(later_s)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert errors == b""
    assert process.returncode == 0


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_file(
    minutes: list[Path], tmp_path: Path
) -> None:
    out, whole = tmp_path / "rows.jsonl", tmp_path / "whole.jsonl"
    journal = tmp_path / "rows.jsonl.part"
    command: list[str | Path]
    command = ["recognize", "--segments", *minutes, "--jobs", "2", "--out"]
    with start(*command, out) as process:
        wait_until(lambda: n_lines(journal) > 2, 120)
        process.kill()
        process.communicate()
    # The last line was being written.
    with journal.open("ab") as file:
        file.write(b'{"name": "torn')
    assert run(*command, out).returncode == 0
    assert run(*command, whole).returncode == 0
    assert out.read_bytes() == whole.read_bytes()
    assert len(messages(out.read_bytes())) == 8


def test_what_was_cut_before_a_run_went_on_still_makes_the_status_1(
    minutes: list[Path], tmp_path: Path
) -> None:
    cut, out = tmp_path / "cut.flac", tmp_path / "rows.json"
    content = CLIPS[0].read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    journal = tmp_path / "rows.json.part"
    with start("recognize", cut, *minutes, "--out", out) as process:
        wait_until(lambda: n_lines(journal) > 1, 120)
        process.kill()
        process.communicate()
    done = run("recognize", cut, *minutes, "--out", out)
    assert "of 9 recordings are done already" in error_line(done)
    assert f"done already; cut or damaged: {cut}" in error_line(done)
    assert messages(out.read_bytes())[0]["cut"] is True
    assert done.returncode == 1


def test_what_was_mended_before_a_run_goes_on_is_heard_again(tmp_path: Path) -> None:
    cut, empty, out = (tmp_path / n for n in ("cut.flac", "empty.flac", "rows.json"))
    content = CLIPS[0].read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    empty.touch()
    command = ("recognize", cut, CLIPS[1], empty, "--out", out)
    assert run(*command).returncode == 1
    assert messages(out.read_bytes())[0]["cut"] is True
    empty.write_bytes(CLIPS[2].read_bytes())
    cut.write_bytes(content)
    done = run(*command)
    assert done.returncode == 0
    assert error_line(done).endswith("1 of 3 recordings are done already")
    first, *others = messages(out.read_bytes())
    assert len(others) == 2
    assert first == {**messages(run("recognize", CLIPS[0]).stdout)[0], "file": str(cut)}


def test_recordings_that_are_gone_when_a_run_goes_on_keep_their_rows(
    tmp_path: Path,
) -> None:
    gone, late, out = (tmp_path / n for n in ("gone.flac", "late.flac", "rows.json"))
    gone.write_bytes(CLIPS[0].read_bytes())
    assert run("recognize", gone, late, "--out", out).returncode == 1
    gone.unlink()
    late.symlink_to(CLIPS[1])
    assert run("recognize", gone, late, "--out", out).returncode == 0
    assert [row["file"] for row in messages(out.read_bytes())] == [str(gone), str(late)]


@pytest.mark.parametrize("out", ["/dev/null", ".", "/"])
def test_rows_do_not_go_into_what_is_no_file(out: str) -> None:
    done = run("recognize", CLIPS[0], "--out", out)
    assert done.returncode == 2
    assert f"{out} is no regular file; name one" in error_line(done)
    assert Path(out).exists()


@pytest.mark.parametrize("format", ["json", "srt", "rttm"])
def test_a_folder_for_one_file_is_not_made(tmp_path: Path, format: str) -> None:
    out = tmp_path / "nowhere" / "rows"
    done = run("recognize", CLIPS[0], "--format", format, "--out", out)
    assert done.returncode == 5
    assert f"there is no folder {out.parent} for rows; make it" in error_line(done)
    assert not out.parent.exists()


@pytest.mark.parametrize("inner", ["file", "file/folder", "loop", "loop/folder"])
def test_where_no_folder_can_be_made_none_is_advised(
    tmp_path: Path, inner: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "loop").symlink_to("loop")
    done = run("recognize", CLIPS[0], "--out", tmp_path / inner / "x.csv")
    assert done.returncode == 5
    there = tmp_path / inner.split("/")[0]
    assert f"{there} is no folder, so that x.csv cannot be" in error_line(done)
    assert "mkdir" not in error_line(done)


def test_a_folder_that_a_link_leads_to_may_be_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later")
    done = run("recognize", CLIPS[0], "--out", tmp_path / "link" / "x.csv")
    assert f"(mkdir -p {tmp_path / 'later'})" in error_line(done)


def test_a_journal_of_other_settings_is_not_gone_on_with(
    minutes: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    journal = tmp_path / "rows.jsonl.part"
    with start("recognize", *minutes, "--out", out) as process:
        wait_until(lambda: n_lines(journal) > 1, 120)
        process.kill()
        process.communicate()
    done = run("recognize", *minutes, "--step", "0.1", "--out", out)
    assert done.returncode == 2
    assert "a run with another model or other settings" in error_line(done)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    out.write_text("precious")
    done = run("recognize", CLIPS[0], "--out", out)
    assert done.returncode == 2
    assert "is there already; remove it first" in error_line(done)
    assert out.read_text() == "precious"


def test_a_file_with_one_bad_recording_has_the_others(tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.wav", tmp_path / "rows.json"
    bad.write_text("no audio at all")
    done = run("recognize", bad, CLIPS[0], "--out", out)
    assert done.returncode == 1
    assert [row["file"] for row in messages(out.read_bytes())] == [str(CLIPS[0])]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_folder_that_may_not_be_read_costs_no_other(
    jobs: str, tmp_path: Path
) -> None:
    disk, out = tmp_path / "disk", tmp_path / "rows.json"
    lost = disk / "lost+found"
    lost.mkdir(parents=True)
    (disk / "first.flac").symlink_to(CLIPS[0])
    (lost / "found.flac").symlink_to(CLIPS[1])
    # Root may read everything, but for this.
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    command: list[str | Path] = [*without] if os.geteuid() == 0 else []
    command += [*COMMAND, "recognize", "-r", "-j", jobs, disk, CLIPS[2], "--out", out]
    lost.chmod(0)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=120,
            check=False,
        )
    finally:
        lost.chmod(0o755)
    told, hint = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert f"{lost} cannot be read: Permission denied" in told
    assert "1 of 3 recordings failed; once they are mended" in hint
    names = [row["file"] for row in messages(out.read_bytes())]
    assert names == [str(disk / "first.flac"), str(CLIPS[2])]
    # Mended, its recordings come to the others.
    done = run("recognize", "-r", disk, CLIPS[2], "--out", out)
    assert done.returncode == 0
    assert len(messages(out.read_bytes())) == 3


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_header_with_a_number_that_nobody_reads_ends_no_run(
    jobs: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.sph"
    head = (
        b"NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i 16000\n"
        b"sample_n_bytes -i 2\nsample_coding -s3 pcm\nend_head\n"
    )
    field = b"\nsample_count -i " + b"1" * 5000 + b"\n"
    bad.write_bytes(head.ljust(1024) + field + b"\1\2" * 16_000)
    done = run("recognize", "--jobs", jobs, CLIPS[0], bad, CLIPS[1])
    assert (done.returncode, done.stderr) == (0, b"")
    names = [row["file"] for row in messages(done.stdout)]
    assert names == [str(CLIPS[0]), str(bad), str(CLIPS[1])]


def test_a_terminal_that_goes_away_ends_no_run(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "recognize", pipe, CLIPS[0], CLIPS[1]],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        shown = b""
        while b"recognizing" not in shown:
            shown += os.read(ours, 4096)
        os.close(ours)
        pipe.write_bytes(CLIPS[0].read_bytes())
        output, _ = process.communicate(timeout=120)
    names = [row["file"] for row in messages(output)]
    assert names == [str(pipe), str(CLIPS[0]), str(CLIPS[1])]


def test_a_list_on_standard_input_names_them(rows: list[dict[str, object]]) -> None:
    names = "\0".join(map(str, CLIPS)).encode()
    done = run("recognize", "--segments", "--files-from", "-", stdin=names)
    assert messages(done.stdout) == rows


def test_a_folder_is_recognised_by_itself(tmp_path: Path) -> None:
    for path in CLIPS[:2]:
        (tmp_path / path.name).symlink_to(path)
    found = messages(run("recognize", tmp_path).stdout)
    assert [row["file"] for row in found] == [str(tmp_path / p.name) for p in CLIPS[:2]]


def test_a_document_for_each_goes_into_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    twins = [tmp_path / "a" / "x.flac", tmp_path / "b" / "x.flac", tmp_path / "b/x.wav"]
    for path in twins:
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(CLIPS[0])
    done = run("recognize", "--format", "srt", "--out", out, *twins)
    assert done.returncode == 0, done.stderr
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*.srt"))
    assert names == ["a/x.srt", "b/x.flac.srt", "b/x.wav.srt"]


def test_what_a_folder_holds_goes_to_a_folder_be_it_one_recording(
    tmp_path: Path,
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "out"
    archive.mkdir()
    (archive / "one.flac").symlink_to(CLIPS[0])
    done = run("recognize", "--format", "srt", "--out", out, archive)
    assert done.returncode == 0, done.stderr
    (archive / "two.flac").symlink_to(CLIPS[1])
    done = run("recognize", "--format", "srt", "--out", out, archive)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["one.srt", "two.srt"]
    (tmp_path / "file").touch()
    done = run("recognize", "--format", "srt", "--out", tmp_path / "file", archive)
    assert done.returncode == 5
    assert "is a file; name a folder" in error_line(done)


def test_a_slash_at_the_end_means_a_folder(tmp_path: Path) -> None:
    out = f"{tmp_path}/new/"
    done = run("recognize", "--format", "vtt", "--out", out, CLIPS[0])
    assert done.returncode == 0, done.stderr
    assert [p.name for p in (tmp_path / "new").iterdir()] == [f"{CLIPS[0].stem}.vtt"]
    done = run("recognize", "--format", "csv", "--out", f"{out}more/", CLIPS[0])
    assert done.returncode == 2
    assert "csv goes into one file" in error_line(done)


def test_documents_for_many_need_a_folder() -> None:
    done = run("recognize", "--format", "eaf", *CLIPS[:2])
    assert done.returncode == 2
    assert "name a folder for them with --out DIR" in error_line(done)


def test_rttm_holds_many_recordings(tmp_path: Path) -> None:
    done = run("recognize", "--format", "rttm", MINUTE, CLIPS[0])
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert len(lines) > 8
    assert {line.split()[0] for line in lines} == {"SPEAKER"}


def test_text_shows_no_character_that_moves_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb\n.flac"
    path.symlink_to(CLIPS[0])
    shown = run("recognize", "--format", "text", path).stdout
    assert b"\x1b" not in shown
    assert b"a\\x1b[2Jb\\n.flac" in shown
    (row,) = messages(run("recognize", path).stdout)
    assert row["file"] == str(path)


def test_a_name_that_is_no_utf_8_can_be_had_back(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "x") + b"\xff.flac"
    Path(os.fsdecode(path)).symlink_to(CLIPS[0])
    (row,) = messages(run("recognize", os.fsdecode(path)).stdout)
    assert os.fsencode(row["file"]) == path


def test_csv_says_what_is_cut(tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    content = MINUTE.read_bytes()
    cut.write_bytes(content[: len(content) // 3])
    done = run("recognize", "--format", "csv", cut, CLIPS[0])
    assert done.returncode == 1
    first, second = csv.DictReader(io.StringIO(done.stdout.decode()))
    assert (first["cut"], second["cut"]) == ("True", "False")


def test_more_processes_than_there_can_be_are_refused() -> None:
    done = run("recognize", CLIPS[0], "--jobs", "0")
    assert done.returncode == 2
    assert "jobs is '0'; allowed: auto, or 1 to 256" in error_line(done)


def test_what_failed_is_tried_again_by_the_same_command(tmp_path: Path) -> None:
    late, out = tmp_path / "late.flac", tmp_path / "rows.json"
    done = run("recognize", late, CLIPS[0], "--out", out)
    assert done.returncode == 1
    assert b"1 of 2 recordings failed" in done.stderr
    assert len(messages(out.read_bytes())) == 1
    late.symlink_to(CLIPS[1])
    assert run("recognize", late, CLIPS[0], "--out", out).returncode == 0
    assert [row["file"] for row in messages(out.read_bytes())] == [
        str(late),
        str(CLIPS[0]),
    ]
    assert not (tmp_path / "rows.json.part").exists()


def test_no_two_documents_have_one_name(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a.wav", "a.mp3", "a.mp3.wav")]
    for path in names:
        path.symlink_to(CLIPS[0])
    out = tmp_path / "out"
    assert run("recognize", "--format", "rttm", CLIPS[0]).returncode == 0
    done = run("recognize", "--format", "audacity", "--out", out, *names)
    assert done.returncode == 0
    assert len(list(out.iterdir())) == 3


def test_standard_input_is_read_beside_processes(
    rows: list[dict[str, object]],
) -> None:
    content = CLIPS[0].read_bytes()
    done = run("recognize", "--segments", "-j", "2", "-", CLIPS[1], stdin=content)
    assert done.returncode == 0
    first, second = messages(done.stdout)
    assert {**first, "file": str(CLIPS[0])} == rows[0]
    assert second == rows[1]
