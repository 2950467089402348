"""The token: from the environment or a file that no other user may read."""

import shlex
from pathlib import Path

import pytest

from ser_stream.errors import ConfigError
from ser_stream.protocol.access_token import read_token


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SER_STREAM_TOKEN", raising=False)
    path = tmp_path / "the token"
    path.touch(mode=0o600)
    return path


def test_it_comes_from_the_environment_or_else_from_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_token(None) is None
    file.write_text("0123456789abcdef\n")
    assert read_token(file) == "0123456789abcdef"
    monkeypatch.setenv("SER_STREAM_TOKEN", "")
    assert read_token(str(file)) == "0123456789abcdef"
    monkeypatch.setenv("SER_STREAM_TOKEN", "of-the-environment")
    assert read_token(file) == "of-the-environment"


def test_a_file_that_everybody_reads_is_refused_with_what_to_do(file: Path) -> None:
    file.write_text("0123456789abcdef\n")
    for mode in (0o644, 0o604, 0o602):
        file.chmod(mode)
        with pytest.raises(ConfigError) as caught:
            read_token(file)
        assert str(caught.value).endswith(f"do: chmod 600 {shlex.quote(str(file))}")
    for mode in (0o640, 0o400):
        file.chmod(mode)
        assert read_token(file) == "0123456789abcdef"


@pytest.mark.parametrize("content", ["", " \n", "short", "two words here", "üüüüüüüü"])
def test_a_file_without_a_token_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigError, match="holds no token: allowed are 8 to 1024"):
        read_token(file)


def test_a_wrong_token_in_the_environment_is_refused_unshown(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_STREAM_TOKEN", "not a token")
    with pytest.raises(ConfigError, match="SER_STREAM_TOKEN holds no token") as caught:
        read_token(file)
    assert "not a token" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.unlink()
    with pytest.raises(ConfigError, match=r"cannot read token_file .*No such file"):
        read_token(file)
    file.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=r"cannot read token_file .*Is a directory"):
        read_token(file)
