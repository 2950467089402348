"""Files that are replaced whole or not at all."""

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ser_stream.atomic_file import PART, delete_file, replace_file, replacing
from tests.helpers import small_disk


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    replace_file(path, "één", mode=0o600)
    assert path.read_text(encoding="utf-8") == "één"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_root_replaces_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    path.chmod(0o600)
    os.chown(path, 12345, 54321)
    replace_file(path, "two")
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (12345, 54321)
    assert stat.S_IMODE(found.st_mode) == 0o600


def test_the_folder_is_synced_once_the_name_is_there_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, link = tmp_path / "target", tmp_path / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to(target)
    synced: list[list[str]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            synced.append(sorted(one.name for one in tmp_path.iterdir()))

    monkeypatch.setattr(os, "fsync", noted)
    replace_file(link, "one")
    delete_file(target)
    assert synced == [["folder", "target"], ["folder"]]


def test_where_a_folder_cannot_be_synced_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    replace_file(tmp_path / "file", "one")
    assert (tmp_path / "file").read_text() == "one"
    delete_file(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_what_a_link_points_to_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("one")
    link.symlink_to(target)
    replace_file(link, "two")
    assert link.is_symlink()
    assert target.read_text() == "two"


def test_an_error_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as part:
        part.write_text("half\udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "disk") as disk:
        path = disk / "file"
        path.write_text("old")
        with pytest.raises(OSError, match="No space"):
            replace_file(path, bytes(1 << 20))
        assert path.read_text() == "old"
        assert list(disk.iterdir()) == [path]


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    program = (
        "import sys, time; from pathlib import Path\n"
        "from ser_stream.atomic_file import replacing\n"
        "with replacing(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); print('begun', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(tmp_path.glob(f"{PART}*"))) == 1


def _write(path: Path, text: str) -> None:
    for _ in range(50):
        replace_file(path, text * 5000)


def test_several_processes_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, text)) for text in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen.add(path.read_text())
        time.sleep(0.001)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {"a" * 5000, "b" * 5000}
    assert seen
    assert list(tmp_path.iterdir()) == [path]
