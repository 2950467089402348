"""Recordings as users have them: heard whole, or a line that says what is wrong.

Never less than all of a recording with status 0.
"""

import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.helpers.made_once import MadeOnce
from tests.helpers.made_recordings import missing_tool
from tests.helpers.program import COMMAND, ENVIRONMENT, error_line, messages, run
from tests.helpers.socket_server import wait_until
from tests.helpers.users_recordings import (
    ODD_NAMES,
    make_damaged,
    make_refused,
    make_whole,
)

pytestmark = pytest.mark.skipif(
    missing_tool() is not None, reason="needs ffmpeg and sox to make recordings"
)

SECONDS, LABEL = 6.0, "angry"
PADDED_S = 0.1
"""What encoders put around the sound."""
WHOLE = [
    *("alaw8k.wav", "mulaw8k.wav", "tel8k.wav", "quiet30.wav", "lowpass.wav"),
    *("low.mp3", "low_decoded.wav", "sox44.mp3", "noxing.mp3", "mp3_in.wav"),
    *("piped.flac", "piped.aiff", "96k24.flac", "size0.wav", "trailing.wav"),
    *(
        "x.m4a",
        "x.webm",
        "x.aac",
        "x.mka",
        "x.3gp",
        "x.wma",
        "x.caf",
        "begin.m4a",
        "x.au",
    ),
    "pcm.caf",
    *("picture.noxing.mp3", "picture.x.aac", "picture.x.flac", "tags-behind.mp3"),
    *(
        "room-before.mp3",
        "room-behind.mp3",
        "room-behind.ogg",
        "really-mp3.wav",
        "really-wav.mp3",
    ),
    *("bext.wav", "odd.wav", "extensible7.wav", "left_only.wav", "ten.wav"),
    *("offset.wav", "192k.wav", "video.mp4", "video.mkv", "video.webm", "video.ts"),
    *("two.mkv", *ODD_NAMES),
]
DAMAGED = {
    "promises44more.wav": "cut short at 6.00 s: its header promises 44 bytes more",
    "cut.clip.wav": "cut short at 3.00 s: its header promises 3.00 s more",
    "cut.sox44.mp3": "cut short at 3.00 s: it ends inside a frame",
    "cut.noxing.mp3": "cut short at 2.90 s: it ends inside a frame",
    "cut.x.flac": "cut short at 2.59 s: its header promises 6.00 s",
    "cut.x.ogg": "cut short at 2.0",
    "cut.x.webm": "damaged at 2.8",
    "cut.begin.m4a": "damaged at 2.6",
    "zeros.sox44.mp3": "damaged at 3.03 s: zeros stand where sound should be",
    "zeros.noxing.mp3": "damaged at 2.93 s: zeros stand where sound should be",
    "zeros.x.flac": "cut short at 2.59 s: its header promises 6.00 s",
    "zeros.piped.flac": "cut short at ",
    "zeros.x.ogg": "damaged at 2.0",
    "zeros.x.webm": "damaged at 2.8",
    "zeros.x.aac": "damaged at 2.8",
    "zeros.video.ts": "damaged at 2.8",
    "zeros.begin.m4a": "damaged at 2.6",
    "joined.x.m4a": "damaged at 6.02 s: another one begins at byte ",
    "joined.x.wma": "damaged at 5.98 s: another one begins at byte ",
    "joined.x.caf": "damaged at 6.00 s: another one begins at byte ",
    "joined.pcm.caf": "damaged at 6.00 s: another one begins at byte ",
    "joined.x.au": "damaged at 6.00 s: another one begins at byte ",
    "unfinished.wav": "damaged at 3.00 s: its header promises no more, but 96000 bytes",
    "nan.wav": "damaged at 3.12 s: sample 50000 is not a number",
    "one_nan.wav": "damaged at 0.00 s: sample 0 is not a number",
}
"""What is said of each."""
REFUSED = {
    "page.wav": "is not audio: it is a page of HTML: the download has failed",
    "pointer.wav": "is not audio: it is a git-lfs pointer: fetch the file with",
    "list.m3u8": "is not audio: it is text",
    "list.m4a": "is not audio: it is text",
    "zip.wav": "is not audio: it is a zip archive: unpack it first",
    "gz.wav": "is not audio: it is compressed by gzip: unpack it first",
    "pdf.wav": "is not audio: it is a PDF",
    "png.wav": "is not audio: it is a picture",
    "empty.wav": "is empty (0 bytes)",
    "one.wav": "is not audio: ",
    "zeros.wav": "is not audio: format not recognised; samples without a header",
    "zeros.mp3": "is not audio: format not recognised; samples without a header",
    "twelve.clip.wav": "is not audio: its WAV header ends before any",
    "twelve.x.flac": "is not audio: its header is cut short",
    "twelve.x.ogg": "is Ogg that ffmpeg cannot read: ",
    "twelve.low.mp3": "holds no samples: only an ID3 tag",
    "twelve.x.m4a": "is MP4 that ffmpeg cannot read: ",
    "twelve.x.webm": "is WebM or Matroska that ffmpeg cannot read: ",
    "twelve.x.wma": "is WMA that ffmpeg cannot read: ",
    "no-sound.mp4": "is MP4 without any sound in it",
    "x.alaw": "begins like no container; samples without a header need --raw",
    "x.raw": "begins like no container; samples without a header need --raw",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What `recognize` made of a folder of recordings."""

    status: int
    rows: Mapping[str, dict[str, Any]]
    """By the name of the file."""
    lines: tuple[str, ...]
    """Of standard error."""

    def of(self, name: str) -> str:
        """The one line about a file."""
        (line,) = [line for line in self.lines if f"/{name} " in line]
        return line


@pytest.fixture(scope="module")
def made(once: MadeOnce) -> Path:
    """Recordings in three folders, beside each what `recognize` says of it."""

    def make(home: Path) -> None:
        make_whole(home / "whole")
        make_damaged(home / "whole", home / "damaged")
        make_refused(home / "whole", home / "refused")
        for folder in ("whole", "damaged", "refused"):
            paths = sorted((home / folder).iterdir())
            done = run("recognize", *paths)
            rows = {Path(row["file"]).name: row for row in messages(done.stdout)}
            lines = done.stderr.decode().splitlines()
            said = {"status": done.returncode, "rows": rows, "lines": lines}
            (home / f"{folder}.json").write_text(json.dumps(said))

    return once("users-recordings", make)


def said_of(made: Path, folder: str) -> Said:
    said = json.loads((made / f"{folder}.json").read_text())
    return Said(said["status"], said["rows"], tuple(said["lines"]))


def test_whole_recordings_are_heard_without_a_word_but_of_a_second_track(
    made: Path,
) -> None:
    said = said_of(made, "whole")
    (line,) = said.lines
    assert "two.mkv has 2 sound tracks, and only the first is heard" in line
    assert said.status == 0
    assert len(said.rows) == len(list((made / "whole").iterdir()))


@pytest.mark.parametrize("name", WHOLE)
def test_a_recording_has_the_label_and_length_of_what_it_was_made_of(
    name: str, made: Path
) -> None:
    rows = said_of(made, "whole").rows
    assert rows["clip.wav"]["label"] == LABEL
    assert rows[name]["label"] == LABEL
    assert rows[name]["duration_s"] == pytest.approx(SECONDS, abs=PADDED_S)
    assert rows[name]["speech_s"] == pytest.approx(
        rows["clip.wav"]["speech_s"], abs=0.3
    )


def test_two_recordings_in_one_file_are_both_heard(made: Path) -> None:
    row = said_of(made, "whole").rows["chained.ogg"]
    assert row["duration_s"] == pytest.approx(2 * SECONDS, abs=PADDED_S)


def test_what_a_codec_leaves_out_does_not_decide(made: Path) -> None:
    rows = said_of(made, "whole").rows
    own, decoded = rows["low.mp3"]["scores"], rows["low_decoded.wav"]["scores"]
    assert own == pytest.approx(decoded, abs=0.03)


@pytest.mark.parametrize("name", DAMAGED)
def test_of_a_damaged_recording_the_rest_is_heard_and_a_line_says_so(
    name: str, made: Path
) -> None:
    said = said_of(made, "damaged")
    assert said.status == 1
    assert len(said.lines) == len(said.rows) == len(DAMAGED)
    assert f"is {DAMAGED[name]}" in said.of(name)
    kind = "cut" if DAMAGED[name].startswith("cut") else "damaged"
    assert said.rows[name][kind] is True
    assert said.rows[name]["duration_s"] > 1.9


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_recording_is_one_line_and_no_row(name: str, made: Path) -> None:
    said = said_of(made, "refused")
    assert said.status == 1
    assert said.rows == {}
    assert len(said.lines) == len(REFUSED)
    assert REFUSED[name] in said.of(name)


@pytest.mark.parametrize(
    "name",
    ["x.m4a", "x.wma", "x.aac", "mulaw8k.wav", "piped.flac", "picture.noxing.mp3"],
)
def test_standard_input_is_recognized_like_the_file(name: str, made: Path) -> None:
    done = run("recognize", "-", stdin=(made / "whole" / name).read_bytes())
    assert done.stderr == b""
    assert done.returncode == 0
    (row,) = messages(done.stdout)
    assert row | {"file": ""} == said_of(made, "whole").rows[name] | {"file": ""}


@pytest.mark.parametrize("name", ["x.m4a", "x.webm", "trailing.wav", "tags-behind.mp3"])
def test_listen_hears_any_container_on_standard_input(name: str, made: Path) -> None:
    done = run("listen", "--input", "-", stdin=(made / "whole" / name).read_bytes())
    assert done.stderr == b""
    assert done.returncode == 0
    said = messages(done.stdout)
    assert {m["label"] for m in said if m["type"] == "emotion"} == {LABEL}
    last = max(m["end_ms"] for m in said if m["type"] == "prediction")
    assert last > 1000 * (SECONDS - 0.3)


@pytest.mark.parametrize("name", ["page.wav", "pointer.wav", "x.alaw", "no-sound.mp4"])
def test_no_audio_on_standard_input_is_never_heard_as_samples(
    name: str, made: Path
) -> None:
    content = (made / "refused" / name).read_bytes()
    for command, status in ((("recognize", "-"), 1), (("listen", "--input", "-"), 2)):
        done = run(*command, stdin=content)
        assert done.returncode == status
        line = error_line(done)
        assert "standard input " in line
        assert REFUSED[name] in line
        assert b'"label"' not in done.stdout


def test_a_writer_whose_file_goes_on_behind_the_sound_is_not_cut_off(
    made: Path,
) -> None:
    with subprocess.Popen(
        [*COMMAND, "recognize", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdin is not None
        # No BrokenPipeError.
        process.stdin.write((made / "whole/trailing.wav").read_bytes())
        process.stdin.close()
        assert process.stdout is not None
        (row,) = messages(process.stdout.read())
    assert process.returncode == 0
    assert row["duration_s"] == SECONDS


FLAGS = ("--encoding", "mulaw", "--rate", "8000")


@pytest.fixture(scope="module")
def bare(made: Path) -> bytes:
    """Samples of `mulaw8k.wav` without its header."""
    return (made / "whole/mulaw8k.wav").read_bytes()[-8000 * int(SECONDS) :]


def test_bare_samples_are_heard_by_their_encoding_from_anywhere(
    made: Path, bare: bytes, tmp_path: Path
) -> None:
    (tmp_path / "x.ulaw").write_bytes(bare)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(bare,))
    writer.start()
    paths: list[str | Path] = [tmp_path / "x.ulaw", tmp_path / "pipe", "-"]
    done = run("recognize", *FLAGS, *paths, stdin=bare)
    writer.join()
    assert done.stderr == b""
    expected = said_of(made, "whole").rows["mulaw8k.wav"]
    assert [row["scores"] for row in messages(done.stdout)] == 3 * [expected["scores"]]


def test_a_header_is_believed_although_there_should_be_none(made: Path) -> None:
    done = run("recognize", *FLAGS, made / "whole/clip.wav", made / "whole/x.m4a")
    assert done.stderr == b""
    rows = said_of(made, "whole").rows
    assert [row["scores"] for row in messages(done.stdout)] == [
        rows[name]["scores"] for name in ("clip.wav", "x.m4a")
    ]


def test_what_is_surely_no_sample_is_refused_and_what_may_be_is_told(
    made: Path,
) -> None:
    page = made / "refused/page.wav"
    done = run("recognize", "--raw", page)
    assert done.returncode == 1
    assert "it is a page of HTML" in error_line(done)
    done = run("recognize", "--raw", made / "whole/noxing.mp3")
    said = done.stderr.decode().splitlines()
    assert "begins like MP3, but is heard as samples without a header" in said[0]


def test_channels_that_cancel_are_told_once_and_heard(
    made: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(made / "whole/clip.wav")
    path = tmp_path / "antiphase.wav"
    soundfile.write(path, [(x, -x) for x in samples], rate)
    done = run("recognize", path)
    assert "the mean of its channels cancels" in error_line(done)
    assert done.returncode == 0
    (row,) = messages(done.stdout)
    assert row["label"] == LABEL
    listened = run("listen", "--pace", "fast", "--input", path)
    assert "the mean of its channels cancels" in error_line(listened)


def test_each_channel_has_a_row_and_one_that_is_not_there_is_named(made: Path) -> None:
    left = made / "whole/left_only.wav"
    first, second = messages(run("recognize", "--channel", "each", left).stdout)
    assert (first["channel"], first["label"]) == (1, LABEL)
    assert (second["channel"], second["label"]) == (2, None)
    done = run("recognize", "--channel", "right", made / "whole/tel8k.wav")
    assert done.returncode == 1
    assert "tel8k.wav has 1 channel; there is no channel right" in error_line(done)


def test_sound_beyond_full_scale_is_clipped_and_told(
    made: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(made / "whole/clip.wav")
    soundfile.write(tmp_path / "loud.wav", 40 * samples, rate, "FLOAT")
    done = run("recognize", tmp_path / "loud.wav")
    assert done.returncode == 0
    assert "samples beyond full scale (up to " in error_line(done)
    assert len(messages(done.stdout)) == 1


def test_names_that_lead_nowhere_are_each_a_line(made: Path, tmp_path: Path) -> None:
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    address = "https://example.org/a%20b.wav"
    paths: list[str | Path]
    paths = [tmp_path / "dangling.wav", tmp_path / "loop.wav", "/dev/null", address]
    done = run("recognize", *paths, made / "whole/clip.wav")
    assert done.returncode == 1
    assert len(messages(done.stdout)) == 1
    lines = done.stderr.decode().splitlines()
    reasons = [
        "there is no file",
        "loop.wav cannot be read: Too many levels of symbolic links",
        "/dev/null is no regular file and no pipe",
        f"there is no file {address}; addresses are not fetched: curl -sL {address} |",
    ]
    assert len(lines) == len(reasons)
    for line, reason in zip(lines, reasons, strict=True):
        assert reason in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    (tmp_path / "secret.wav").chmod(0)
    done = run("recognize", tmp_path / "secret.wav")
    assert "secret.wav cannot be read: Permission denied" in error_line(done)


def test_standard_input_that_is_empty_or_used_up_is_called_that(made: Path) -> None:
    done = run("recognize", "-", stdin=b"")
    assert done.returncode == 1
    assert "standard input is empty" in error_line(done)
    done = run("recognize", "-", "-", stdin=(made / "whole/clip.wav").read_bytes())
    assert done.returncode == 1
    assert len(messages(done.stdout)) == 1
    assert "standard input is empty" in error_line(done)


@pytest.mark.parametrize("name", ["x.m4a", "x.flac"])
def test_a_shell_may_hand_over_a_recording(name: str, made: Path) -> None:
    path = made / "whole" / name
    forms = f"<(cat '{path}') /dev/stdin /dev/fd/7 7<'{path}' <'{path}'"
    command = f"{' '.join(COMMAND)} recognize {forms}"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
        check=False,
    )
    assert done.stderr == b""
    expected = said_of(made, "whole").rows[name]["scores"]
    assert [row["scores"] for row in messages(done.stdout)] == 3 * [expected]


@dataclass(frozen=True, slots=True)
class FakeFfmpeg:
    """A program of that name, before all others on the path."""

    folder: Path

    def does(self, script: str) -> dict[str, str]:
        """The environment in which it is found."""
        path = self.folder / "ffmpeg"
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return {**ENVIRONMENT, "PATH": f"{self.folder}:{os.environ['PATH']}"}


@pytest.fixture
def ffmpeg(tmp_path: Path) -> FakeFfmpeg:
    (tmp_path / "bin").mkdir()
    return FakeFfmpeg(tmp_path / "bin")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho 'it is broken' >&2; exit 3", "cannot read: it is broken"),
        ("#!/bin/sh\nkill -9 $$", "ffmpeg cannot read: it ended with -9"),
        ("#!/bin/sh\nexit 0", "is MP4 without any sound in it"),
        ("#!/nonexistent/sh\n", "cannot be started: No such file or directory"),
        ("no program", "cannot be started: Exec format error"),
    ],
)
def test_an_ffmpeg_that_fails_costs_its_own_recordings_only(
    script: str, reason: str, ffmpeg: FakeFfmpeg, made: Path
) -> None:
    environment = ffmpeg.does(script)
    paths = [made / "whole" / name for name in ("x.m4a", "clip.wav")]
    done = run("recognize", *paths, environment=environment)
    assert done.returncode == 1
    assert reason in error_line(done)
    (row,) = messages(done.stdout)
    assert row["file"] == str(paths[1])


def test_an_ffmpeg_that_dies_in_the_middle_gives_a_damaged_row(
    ffmpeg: FakeFfmpeg, made: Path
) -> None:
    clip = made / "whole/clip.wav"
    environment = ffmpeg.does(f"#!/bin/sh\nhead -c 100000 '{clip}'; kill -9 $$")
    done = run("recognize", made / "whole/x.m4a", environment=environment)
    assert done.returncode == 1
    assert "is damaged at 3.12 s: ffmpeg ended with -9" in error_line(done)
    (row,) = messages(done.stdout)
    assert row["damaged"] is True


def test_without_ffmpeg_a_line_says_how_to_get_on(made: Path, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PATH": str(tmp_path)}
    path = made / "whole/it's.m4a"
    done = run("recognize", path, environment=environment)
    assert done.returncode == 1
    line = error_line(done)
    assert "it's.m4a is MP4, which needs ffmpeg; install it" in line
    assert """: ffmpeg -i 'it'"'"'s.m4a' 'it'"'"'s.flac'""" in line
    done = run("recognize", "-", environment=environment, stdin=path.read_bytes())
    assert "standard input is MP4, which needs ffmpeg" in error_line(done)
    assert error_line(done).endswith("ffmpeg -i recording recording.flac")


def running(script: Path) -> Iterator[int]:
    """Processes whose command line names a script."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if bytes(script) in words:
                yield int(entry.name)


@pytest.mark.parametrize("before", ["", "head -c 100000 '{}'; "])
def test_an_ffmpeg_that_hangs_ends_with_the_program(
    before: str, ffmpeg: FakeFfmpeg, made: Path
) -> None:
    clip = made / "whole/clip.wav"
    # Named by its path; it must not become another program.
    script = f"#!/bin/sh\n{before.format(clip)}while :; do sleep 0.2; done\n"
    with subprocess.Popen(
        [*COMMAND, "recognize", made / "whole/x.m4a"],
        env=ffmpeg.does(script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: any(running(ffmpeg.folder / "ffmpeg")), 60)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    wait_until(lambda: not any(running(ffmpeg.folder / "ffmpeg")), 10)


def test_a_copy_of_standard_input_goes_with_the_program(
    made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    with subprocess.Popen(
        [*COMMAND, "listen", "--pace", "realtime", "--input", "-"],
        env={**ENVIRONMENT, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write((made / "whole/x.m4a").read_bytes())
        process.stdin.close()
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list(folder.iterdir())) == 1
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("recognize", "nofile"), 1, "there is no file nofile"),
        (("recognize", ""), 2, "the name of a recording is empty"),
        (("listen", "--input", ""), 2, "allowed: mic, mic:NAME, a file, or -"),
        (("listen", "--pace", "real-time"), 2, "is not one of 'realtime', 'fast'"),
        (("status", "unix:///x.sock"), 2, "address of a daemon goes to --socket"),
    ],
)
def test_what_was_typed_wrong_is_answered_in_the_words_of_the_command(
    arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == status
    line = error_line(done)
    assert said in line
    assert "Value error" not in line
    if arguments[0] == "recognize":
        assert "mic" not in line
        assert "--input" not in line


def test_a_part_of_a_header_with_a_strange_name_is_shown_readably(
    made: Path, tmp_path: Path
) -> None:
    content = bytearray((made / "whole/clip.wav").read_bytes())
    content[36:44] = b"\x1b[\xd6a" + b"\xff\xff\xff\x7f"
    (tmp_path / "odd.wav").write_bytes(content)
    line = error_line(run("recognize", tmp_path / "odd.wav"))
    assert "its WAV header is damaged, with a part '\\x1b[Öa' of" in line
    assert "\x1b" not in line
