"""What inputs are called: as the user says, else after the source; each its own."""

from pathlib import Path

import pytest

from ser_stream.errors import ConfigError
from ser_stream.sources.named import channel_names, named_inputs


def test_names_are_given_or_made_and_none_comes_twice() -> None:
    texts = ["desk=mic:USB", "mic", "mic", "mic:Front Door (2)", "-", "a/call.wav"]
    assert named_inputs([*texts, "b/call.mp3", "call-2=x.wav"]) == {
        "desk": "mic:USB",
        "mic": "mic",
        "mic-2": "mic",
        "Front-Door-2": "mic:Front Door (2)",
        "stdin": "-",
        "call": "a/call.wav",
        # `call-2` is somebody's already.
        "call-3": "b/call.mp3",
        "call-2": "x.wav",
    }
    assert channel_names(2) == ["left", "right"]
    assert channel_names(3) == ["1", "2", "3"]


def test_a_file_that_exists_is_a_file_whatever_signs_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("desk=mic").touch()
    assert named_inputs(["desk=mic"]) == {"desk-mic": "desk=mic"}
    assert named_inputs(["desk=other"]) == {"desk": "other"}
    # No name: a folder is not one.
    assert named_inputs(["a/b=c.wav"]) == {"b-c": "a/b=c.wav"}
    assert named_inputs(["mic:a=b"]) == {"a-b": "mic:a=b"}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["a=mic", "a=x.wav"], "two inputs are called a"),
        (["=mic"], "allowed is NAME=SRC"),
        (["a="], "allowed is NAME=SRC"),
        (["a" * 65 + "=mic"], "1 to 64 letters"),
        (["-", "b=-"], "standard input can be one"),
    ],
)
def test_what_is_no_name_is_refused(texts: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        named_inputs(texts)
