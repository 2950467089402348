"""A scripted Twilio: the messages of its documentation, and what is made of them."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ser_stream.sources.decoders.encoding import g711_table
from tests.helpers.paths import MINUTE
from tests.helpers.running_serve import RunningServe, running_serve
from tests.helpers.socket_server import wait_until

TOKEN = "0123456789abcdef"
STREAM, CALL = "MZ18ad3ab5a668481ce02b83e7395059f0", "CA123456789012345678901234567890"
CONNECTED = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


def start(**parameters: str) -> dict[str, Any]:
    return {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC123456789012345678901234567890",
            "streamSid": STREAM,
            "callSid": CALL,
            "tracks": ["inbound", "outbound"],
            "mediaFormat": {
                "encoding": "audio/x-mulaw",
                "sampleRate": 8000,
                "channels": 1,
            },
            "customParameters": {"token": TOKEN, **parameters},
        },
        "streamSid": STREAM,
    }


def media(number: int, track: str, payload: bytes) -> dict[str, Any]:
    return {
        "event": "media",
        "sequenceNumber": str(number + 1),
        "media": {
            "track": track,
            "chunk": str(number),
            "timestamp": str(20 * number),
            "payload": base64.b64encode(payload).decode(),
        },
        "streamSid": STREAM,
    }


STOP = {
    "event": "stop",
    "sequenceNumber": "99",
    "stop": {"accountSid": "AC123456789012345678901234567890", "callSid": CALL},
    "streamSid": STREAM,
}


def mulaw(samples: Any) -> bytes:
    """The nearest code of each sample."""
    table = g711_table("mulaw")
    order = np.argsort(table, kind="stable")
    nearest = np.searchsorted(table[order], samples).clip(0, 255)
    return bytes(order[nearest].astype(np.uint8).tobytes())


@pytest.fixture(scope="module")
def served() -> Iterator[RunningServe]:
    environment = {"SER_STREAM_TOKEN": TOKEN}
    with running_serve(
        "--to", "stdout:", kinds=("ws",), environment=environment
    ) as served:
        yield served


def call(served: RunningServe) -> ClientConnection:
    return connect(f"{served.addresses['ws']}/twilio")


def say(connection: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        connection.send(json.dumps(message))


def heard(served: RunningServe, source: str) -> list[dict[str, Any]]:
    lines = served.log.read_text().splitlines()
    messages = [json.loads(line) for line in lines if line.startswith("{")]
    return [message for message in messages if message["source"] == source]


def test_a_call_is_heard_and_nothing_is_said_to_twilio(served: RunningServe) -> None:
    samples, _ = soundfile.read(MINUTE, dtype="float32", frames=6 * 16_000)
    codes = mulaw(soxr.resample(samples, 16_000, 8000))
    with call(served) as connection:
        say(connection, CONNECTED, start())
        for number in range(len(codes) // 160):
            payload = codes[160 * number : 160 * (number + 1)]
            say(connection, media(number, "inbound", payload))
            say(connection, media(number, "outbound", b"\xff" * 160))
        say(connection, {"event": "dtmf", "streamSid": STREAM, "dtmf": {"digit": "1"}})
        say(connection, STOP)
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=60)
    wait_until(lambda: any(m["type"] == "bye" for m in heard(served, CALL)))
    told = heard(served, CALL)
    assert told[0]["audio"]["device_rate"] == 8000
    assert any(m["type"] == "emotion" for m in told)
    ends = [m["end_ms"] for m in told if m["type"] == "prediction"]
    assert 5_000 < max(ends) <= 6_000  # the other side's silence is not between it


def test_a_call_that_is_none_is_closed_and_told_in_the_log(
    served: RunningServe,
) -> None:
    form = {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}
    for messages in (
        [start(), {"event": "media", "media": {"payload": "?"}}],
        [{"type": "open"}],
        [{"event": "start", "start": {"mediaFormat": form}}],
        [start(token="wrong-token")],
    ):
        with call(served) as connection:
            say(connection, *messages)
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=60)
    # One line a second: strangers must not fill the log.
    log = served.log.read_text()
    assert log.count("a call is refused") >= 1
    assert "payload is not base64" in log
    assert "Traceback" not in log
