"""What the daemon says fits protocol.schema.json; so do the examples of the docs."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast, get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError

from ser_stream.client.framing import MAX_LINE as CLIENTS_MAX_LINE
from ser_stream.client.lines import MESSAGES
from ser_stream.client.messages import EVENT_TYPES, Audio, Model, StatusState
from ser_stream.client.past import MAX_SECONDS
from ser_stream.pipeline.values import AudioState, EmotionEvent, Phase
from ser_stream.protocol.messages import (
    MAX_LINE,
    Message,
    MessageBuilder,
    bye,
    dropped,
    history,
    pong,
    refusal,
    reply,
    snapshot,
)
from ser_stream.protocol.requests import EVENTS, MAX_HISTORY_S
from tests.helpers.paths import MINUTE, ROOT
from tests.helpers.program import run
from tests.helpers.protocol_schema import SCHEMA_FILE, validate, validate_request

SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
DEFINITIONS = SCHEMA["$defs"]
EMOTION = {"id": 7, "label": "angry", "start_ms": 80_100}
ADAPTATION = {
    "type": "adaptation",
    "seq": 45,
    "phase": "accepted",
    "reason": "",
    "bundle": "ab" * 32,
    "time": "2026-01-01T00:00:00.000Z",
}


def every_other_message() -> Iterator[Message]:
    """What a recording at fast pace does not bring about."""
    protocol = MessageBuilder()
    for audio in AudioState:
        yield snapshot(81_250, "speech", EMOTION, audio)
        yield snapshot(512.5, "no_speech", None, audio)
        yield protocol.status("audio", audio.value, "why", 16_000)
    yield protocol.status("audio", "overflow", "0.100 s of audio were lost", 16_000)
    yield protocol.status("overload", "overflow", "2.1 s behind", 16_000)
    for state in ("reloaded", "refused"):
        yield protocol.status("model", state, "", 16_000)
    for phase in Phase:
        yield protocol.emotion(EmotionEvent(phase, 7, "angry", 80_000, 88_200, 0.7))
    for step in DEFINITIONS["adaptation"]["properties"]["phase"]["enum"]:
        yield protocol.adaptation(step, "", "ab" * 32, None)
    yield dropped(12, 50, 61)
    yield history(3, 51, 18_050)
    yield history(None, None, None)
    yield reply(3, {"paused": True})
    for id in (3, "three", 0.5, None):
        yield refusal(id, "bad_json", "a line must be one JSON object in UTF-8")
        yield pong(id)
    for reason in ("shutdown", "slow_subscriber", "protocol"):
        yield bye(reason)


def test_every_line_of_listen_is_of_the_schema() -> None:
    done = run("listen", "--input", MINUTE, "--pace", "fast")
    said = [validate(line) for line in done.stdout.splitlines(keepends=True)]
    types = {message["type"] for message in said}
    assert {"hello", "prediction", "emotion", "bye"} <= types


def test_every_message_that_can_be_built_is_of_the_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    whole = Draft202012Validator(SCHEMA)
    types = set()
    for message in every_other_message():
        fields = validate(message)
        whole.validate(fields)
        types.add(message.type)
    of_listen = {"hello", "prediction"}
    assert types | of_listen == {ref["$ref"].split("/")[-1] for ref in SCHEMA["oneOf"]}


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"phase": "begin"},
        {"time": "2026-01-01 00:00"},
        {"seq": 0},
        {"bundle": "xyz"},
    ],
)
def test_a_stray_or_wrong_field_is_caught(change: dict[str, Any]) -> None:
    validate(ADAPTATION)
    with pytest.raises(ValidationError):
        validate({**ADAPTATION, **change})
    with pytest.raises(ValidationError):
        validate({key: ADAPTATION[key] for key in list(ADAPTATION)[:-1]})


def test_silence_has_no_scores_and_speech_has_them() -> None:
    prediction = {
        "type": "prediction",
        "seq": 42,
        "start_ms": 5512.5,
        "end_ms": 5712.5,
        "time": "2026-01-01T00:00:05.712Z",
        "state": "no_speech",
        "label": None,
        "confidence": None,
        "scores": None,
        "familiarity": None,
        "level_dbfs": -61.0,
        "peak_dbfs": -47.2,
        "latency_ms": 0.4,
    }
    validate(prediction)
    wrong = {"state": "speech", "label": "sad", "confidence": 0.5, "familiarity": 0.5}
    for field, value in wrong.items():
        with pytest.raises(ValidationError):
            validate({**prediction, field: value})


def test_the_types_of_the_client_are_those_of_the_schema() -> None:
    kinds: dict[str, Any] = {**MESSAGES, "model": Model, "audio": Audio}
    hello = DEFINITIONS["hello"]["properties"]
    for name, kind in kinds.items():
        schema = DEFINITIONS.get(name) or hello[name]
        assert list(kind.__annotations__) == list(schema["properties"]), name
        assert kind.__required_keys__ == set(schema["required"]), name
    states = {s for case in DEFINITIONS["status"]["oneOf"] for s in _states(case)}
    assert {s for part in get_args(StatusState) for s in get_args(part)} == states


def _states(case: dict[str, Any]) -> list[str]:
    return cast(list[str], case["properties"]["state"]["enum"])


def test_daemon_client_and_schema_agree_on_what_may_be_asked() -> None:
    only = DEFINITIONS["subscribe"]["properties"]["only"]["oneOf"][1]
    assert only["items"]["enum"] == list(EVENTS) == list(EVENT_TYPES)
    assert CLIENTS_MAX_LINE == MAX_LINE
    seconds = DEFINITIONS["ask_history"]["properties"]["last_s"]["maximum"]
    assert seconds == MAX_HISTORY_S == MAX_SECONDS


def test_the_examples_of_the_documentation_are_of_the_schema() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    types = []
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        for fields in _objects(block):
            types.append(fields["type"])
            asked = fields["type"] == "history" and "last_s" in fields
            asks = ("subscribe", "health", "ping", "control", "auth")
            if asked or fields["type"] in asks:
                validate_request(fields)
            else:
                validate(fields)
    assert {*types} >= {*MESSAGES, "reply", "pong", "subscribe", "control", "auth"}


def _objects(block: str) -> Iterator[dict[str, Any]]:
    decoder, block = json.JSONDecoder(), block.strip()
    while block:
        fields, end = decoder.raw_decode(block)
        yield fields
        block = block[end:].strip()
