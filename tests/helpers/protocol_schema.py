"""Checks lines of the protocol against the schema that the package carries."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from ser_stream.protocol.messages import MAX_LINE, Message
from tests.helpers.paths import ROOT

SCHEMA_FILE = ROOT / "ser_stream/protocol/protocol.schema.json"


@cache
def _validator(type: str) -> Draft202012Validator:
    # By type: of a `oneOf`, a failure would only say that none of ten fits.
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    del schema["oneOf"]
    assert type in schema["$defs"], f"no line of the protocol is of type {type}"
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{type}"})


def validate(line: bytes | str | Message | Mapping[str, Any]) -> dict[str, Any]:
    """Fail if a daemon may not say this; return its fields.

    Args:
        line: as it was sent, with or without its end; or the message, or its fields.
    """
    if isinstance(line, Message):
        line = line.line
    if isinstance(line, Mapping):
        fields = dict(line)
    else:
        data = line.encode() if isinstance(line, str) else line
        assert len(data) <= MAX_LINE, f"a line of {len(data)} bytes"
        fields = json.loads(data)
    assert isinstance(fields, dict), fields
    _validator(str(fields.get("type"))).validate(fields)
    return fields


def validate_request(fields: Mapping[str, Any]) -> None:
    """Fail if a subscriber may not say this."""
    _validator("request").validate(fields)
