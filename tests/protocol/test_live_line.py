"""The line under the text of a terminal."""

import re
from typing import Any

import pytest

from ser_stream.protocol.text import ERASE, TextRenderer, clock
from tests.helpers.recorded_events import recorded
from tests.helpers.socket_server import hello, prediction, status

NUMBER = re.compile(r"-?\d+(?::\d+)?(?:\.\d+)?")
STYLE = re.compile(r"\x1b\[[\d;]*m")


def shown(monkeypatch: pytest.MonkeyPatch, columns: int, **fields: object) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = TextRenderer(live=True).text({**prediction(1).fields, **fields})
    assert text.startswith(ERASE)
    return STYLE.sub("", text.removeprefix(ERASE))


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (80, "now 0:00.7  ▮▮▮▮▮▯▯▯ -23.1 dBFS  angry      ████████████████···· 0.80"),
        (50, "now 0:00.7  ▮▮▮▮▮▯▯▯ -23.1 dBFS  angry      0.80"),
        (42, "now 0:00.7   -23.1 dBFS  angry      0.80"),
        (30, "now 0:00.7  angry      0.80"),
    ],
)
def test_it_has_what_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    assert shown(monkeypatch, columns) == line


@pytest.mark.parametrize("columns", [10, 20, 26, 33, 40, 53, 80, 200])
def test_it_never_wraps(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    assert len(shown(monkeypatch, columns)) < columns
    quiet = {"scores": None, "label": None, "confidence": None}
    assert len(shown(monkeypatch, columns, **quiet)) < columns


def test_names_from_elsewhere_do_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "a?]0;b" in shown(monkeypatch, 80, label="a\x1b]0;b")


def test_no_colour_is_shown_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    text = TextRenderer(live=True).text(prediction(1).fields)
    assert "\x1b[32m" not in text


def test_of_several_sources_the_line_is_of_whoever_spoke_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    render = TextRenderer(live=True).text
    quiet = {"scores": None, "label": None, "confidence": None}

    def line(source: str, **fields: Any) -> str:
        text = render({**prediction(1).fields, "source": source, **fields})
        assert len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text)) < 40
        return text

    assert "desk: " in line("desk", **quiet)
    assert "a-rather-long-name: " in line("a-rather-long-name")
    assert line("desk", **quiet) == ""
    assert "hall: " in line("hall")
    assert render({**status(1).fields, "source": "hall"}).endswith(
        "hall: audio lost: the microphone is gone\n"
    )


def test_no_number_is_printed_that_the_events_do_not_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    renderer = TextRenderer(live=True)
    printed = 0
    for message in recorded():
        fields = message.fields
        told = {clock(fields[key]) for key in ("start_ms", "end_ms") if key in fields}
        if message.type == "prediction":
            told.add(f"{fields['level_dbfs']:.1f}")
        if message.type == "emotion":
            told.add(f"{(fields['end_ms'] - fields['start_ms']) / 1000:.1f}")
        if fields.get("confidence") is not None:
            told.add(f"{fields['confidence']:.2f}")
        if message.type in ("prediction", "emotion"):
            found = NUMBER.findall(STYLE.sub("", renderer.text(fields)))
            assert set(found) <= told, fields
            printed += len(found)
    assert printed > 600


def test_a_hello_that_says_nothing_new_is_not_shown_again() -> None:
    render = TextRenderer(live=False).text
    first = {**hello().fields, "source": "desk"}
    assert render(first).startswith("desk: hearing ")
    assert render({**first, "source": "hall"}).startswith("hall: hearing ")
    assert render({**first, "t0": "2026-01-01T00:00:00.000Z"}) == ""
    # Another stream, as after a restart, is news; so is one after the end.
    assert render({**first, "stream": "another"}) != ""
    render({"type": "bye", "reason": "end", "source": "hall"})
    assert render({**first, "source": "hall"}) != ""
