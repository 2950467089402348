"""Single values of the configuration change; everything else in the file stays."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.config.edit import edited, set_values, snippet
from ser_stream.errors import ConfigError

SMOOTHING = {"enter": 0.6, "lead": 0.0}

KEPT = """\
# my settings
input = "mic:USB"   # the good one

[gate]
max_pause_s = 1.0

[smoothing]  # by hand
# steadier
enter = 0.5      # was 0.4
update_s = 2

# about what comes
[other]
enter = 9
"""


def test_only_the_values_change() -> None:
    changed = edited(KEPT, {"model": "research", "smoothing": SMOOTHING})
    assert (
        changed
        == """\
# my settings
input = "mic:USB"   # the good one
model = "research"

[gate]
max_pause_s = 1.0

[smoothing]  # by hand
# steadier
enter = 0.6      # was 0.4
update_s = 2
lead = 0.0

# about what comes
[other]
enter = 9
"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[smoothing]\nenter = 0.6\nlead = 0.0\n"),
        ("step = 0.2", "step = 0.2\n\n[smoothing]\nenter = 0.6\nlead = 0.0\n"),
        ("[smoothing]\n", "[smoothing]\nenter = 0.6\nlead = 0.0\n"),
        (
            "[smoothing]\nlead=1 #x\nenter=5e-1",
            "[smoothing]\nlead=0.0 #x\nenter=0.6\n",
        ),
        (
            '["smoothing"]\r\n"enter" = 0.5\r\n[gate]\r\n',
            '["smoothing"]\r\n"enter" = 0.6\r\nlead = 0.0\r\n[gate]\r\n',
        ),
    ],
)
def test_a_table_is_begun_or_filled_in(before: str, after: str) -> None:
    assert edited(before, {"smoothing": SMOOTHING}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# nothing yet\n", '# nothing yet\nmodel = "b"\n'),
        ("model = 'a' # x\n", 'model = "b" # x\n'),
        ('model = "a \\" # b"\n', 'model = "b"\n'),
        ("[gate]\nexit = 0.3\n", 'model = "b"\n\n[gate]\nexit = 0.3\n'),
        ("step=1\n\n# mine\n[gate]\n", 'step=1\nmodel = "b"\n\n# mine\n[gate]\n'),
    ],
)
def test_a_key_outside_of_tables_comes_before_them(before: str, after: str) -> None:
    assert edited(before, {"model": "b"}) == after


@given(text=st.text(st.characters(codec="utf-8")))
def test_any_name_is_read_back_as_it_was(text: str) -> None:
    assert tomllib.loads(snippet({"model": text})) == {"model": text}


@pytest.mark.parametrize(
    "content",
    [
        "smoothing = {enter = 0.5}\n",
        "smoothing.enter = 0.5\n",
        'input = """\nenter = 1\n[smoothing]\nenter = 0.5"""\n',
        "[smoothing]\nenter = 0.5\n[smoothing.more]\n[[gate]]\n",
    ],
)
def test_a_spelling_that_is_not_known_is_refused_or_right(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    try:
        set_values(path, {"smoothing": SMOOTHING})
    except ConfigError as error:
        assert "put in by hand: [smoothing]; enter = 0.6; lead = 0.0" in str(error)  # noqa: PT017
        assert path.read_text() == content
    else:
        before, after = tomllib.loads(content), tomllib.loads(path.read_text())
        assert {**before.pop("smoothing", {}), **SMOOTHING} == after.pop("smoothing")
        assert before == after


def test_an_inline_and_a_dotted_table_are_changed_where_they_stand() -> None:
    assert edited("smoothing = {enter = 0.5}  # x\n", {"smoothing": SMOOTHING}) == (
        "smoothing = {enter = 0.6,lead = 0.0}  # x\n"
    )
    assert edited("smoothing.enter = 0.5\n", {"smoothing": SMOOTHING}) == (
        "smoothing.enter = 0.6\nsmoothing.lead = 0.0\n"
    )


@pytest.mark.parametrize("content", ["smoothing = 3\n", "[[smoothing]]\nenter = 0.5\n"])
def test_what_is_no_table_is_refused_untouched(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match="nothing was written"):
        set_values(path, {"smoothing": SMOOTHING})
    assert path.read_text() == content


def test_a_file_is_begun_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    set_values(path, {"model": "open"})
    assert path.read_text() == 'model = "open"\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("step = 0.2\n")
    real.chmod(0o600)
    link.symlink_to(real)
    set_values(link, {"model": "open"})
    assert link.is_symlink()
    assert real.read_text() == 'step = 0.2\nmodel = "open"\n'
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_what_cannot_be_read_or_written_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("step = [")
    with pytest.raises(ConfigError, match="not valid TOML"):
        set_values(path, {"model": "open"})
    with pytest.raises(ConfigError, match="cannot read"):
        set_values(tmp_path, {"model": "open"})
    with pytest.raises(ConfigError, match="cannot write"):
        set_values(path / "config.toml", {"model": "open"})
    with pytest.raises(ConfigError, match="UTF-8"):
        set_values(tmp_path / "new.toml", {"model": os.fsdecode(b"M\xfcller")})
    assert list(tmp_path.iterdir()) == [path]
