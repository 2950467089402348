"""Whatever bytes come, they become lines, requests or refusals, in bounded memory."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_stream.protocol.messages import MAX_LINE, pong, refusal
from ser_stream.protocol.requests import (
    LineReader,
    LineTooLongError,
    RequestError,
    parse_request,
)


def lines_of(pieces: list[bytes]) -> list[bytes]:
    reader, lines = LineReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next()) is not None:
            lines.append(line)
    return lines


@given(
    text=st.binary(max_size=300).map(lambda data: data.replace(b"\x00", b"\n")),
    cuts=st.lists(st.integers(0, 300), max_size=20),
)
def test_lines_are_the_same_however_their_bytes_come(
    text: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert lines_of(pieces) == text.split(b"\n")[:-1]


def test_lines_come_whole_byte_by_byte() -> None:
    text = b'{"type":"ping"}\nhalf'
    assert lines_of([bytes([byte]) for byte in text]) == [b'{"type":"ping"}']


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_may_have_16_kib_and_no_more(ending: bytes) -> None:
    assert lines_of([b"x" * (MAX_LINE - 1), b"\n"]) == [b"x" * (MAX_LINE - 1)]
    with pytest.raises(LineTooLongError):
        lines_of([b"short\n", b"x" * MAX_LINE + ending])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b"[]",
        b"1",
        b'"type"',
        b'{"type":"ping"',
        b'{"type":"ping"} {}',
        b'{"type":"ping","id":NaN}',
        b'{"type":"ping","id":-Infinity}',
        b'{"type":"ping","id":' + b"9" * 5000 + b"}",
        b'{"type":"\xff"}',
        b"\x00\x01\x02",
        b'{"a":' * 3000,
        b"[" * 16000,
    ],
)
def test_what_is_no_json_object_is_bad_json(line: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(line)
    assert caught.value.code == "bad_json"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b"{}", "bad_message", "no type"),
        (b'{"type":1}', "bad_message", "no type"),
        (b'{"type":["ping"]}', "bad_message", "no type"),
        (b'{"type":"ping","id":[]}', "bad_message", "id may be"),
        (b'{"type":"ping","id":true}', "bad_message", "id may be"),
        (b'{"type":"ping","id":1e999}', "bad_message", "id may be"),
        (b'{"type":"ping","id":"' + b"x" * 65 + b'"}', "bad_message", "id may be"),
        (b'{"type":"Ping"}', "unknown_type", "allowed are subscribe, ping, control"),
        (b'{"type":"subscribe","only":"status"}', "bad_message", "only is null or"),
        (b'{"type":"subscribe","only":["bye"]}', "bad_message", "prediction, emotion"),
        (b'{"type":"subscribe","only":[{}]}', "bad_message", "only is null or"),
        (b'{"type":"control"}', "bad_message", "needs do"),
        (b'{"type":"control","do":"halt"}', "unknown_command", "status, pause"),
        (b'{"type":"auth"}', "bad_message", "needs token"),
        (b'{"type":"auth","token":1}', "bad_message", "needs token"),
    ],
)
def test_a_bad_request_is_told_what_is_allowed(
    line: bytes, code: str, says: str
) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        parse_request(line)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "id", [None, 0, 3, -1, 2**53, 1.5, "", "seven", "\u00e4", "\ud800"]
)
def test_an_id_comes_back_as_it_was(id: object) -> None:
    request = parse_request(json.dumps({"type": "ping", "id": id}).encode() + b"\r")
    assert request.id == id
    # Whatever an id may be, the answer is a line.
    assert pong(request.id).line.endswith(b"\n")


@given(
    st.binary(max_size=400)
    | st.recursive(
        st.sampled_from(["ping", "subscribe", "control", "auth", "status"])
        | (st.none() | st.booleans() | st.floats() | st.integers() | st.text()),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "id", "only", "do", "token"]) | st.text(),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_line_is_a_request_or_can_be_refused(line: bytes) -> None:
    try:
        request = parse_request(line)
        answer = pong(request.id)
    except RequestError as error:
        answer = refusal(error.id, error.code, error.text)
    assert answer.line.endswith(b"\n")
