"""Files, folders and lists -> the recordings, in order."""

from pathlib import Path

import pytest

from ser_stream.commands.archive.inputs import Inputs, recordings
from ser_stream.errors import ConfigError, SourceError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three recordings in two folders, and what is none."""
    for name in ("b.wav", "a.MP3", "notes.txt", ".hidden.wav", "in/c.m4a"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_of_a_folder_come_its_recordings_by_name(archive: Path) -> None:
    found = recordings(Inputs([str(archive)]))
    assert found == [str(archive / "a.MP3"), str(archive / "b.wav")]


def test_folders_within_count_if_that_is_asked_for(archive: Path) -> None:
    found = recordings(Inputs([str(archive)], recursive=True))
    assert found[2:] == [str(archive / "in/c.m4a")]


def test_files_stay_in_the_order_given_whatever_they_are_called(archive: Path) -> None:
    given = [str(archive / "notes.txt"), "-", str(archive / "in"), "gone.wav"]
    assert recordings(Inputs(given)) == [
        *given[:2],
        str(archive / "in/c.m4a"),
        given[3],
    ]


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_a_list_names_more_of_them(separator: str, tmp_path: Path) -> None:
    names = ["a b.wav", "ümlaut.wav", "-strange.wav"]
    (tmp_path / "list").write_bytes(separator.join([*names, ""]).encode())
    assert recordings(Inputs([], files_from=str(tmp_path / "list"))) == names


def test_a_name_may_be_of_bytes_that_are_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"x\xff.wav\0")
    (found,) = recordings(Inputs([], files_from=str(tmp_path / "list")))
    assert found == "x\udcff.wav"


def test_an_empty_folder_says_what_counts(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there are no recordings .*\.wav.*--recu"):
        recordings(Inputs([str(tmp_path)]))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda: Inputs([]), "name recordings or folders, - for standard input"),
        (lambda: Inputs(["-"], files_from="-"), "standard input cannot be a recording"),
        (lambda: Inputs([""]), "the name of a recording is empty"),
    ],
)
def test_what_names_nothing_is_refused(inputs: object, message: str) -> None:
    assert callable(inputs)
    with pytest.raises(ConfigError, match=message):
        inputs()
