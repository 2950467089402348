"""Wyoming's own client sends audio, and reads emotions."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import soundfile
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

from tests.helpers.paths import MINUTE
from tests.helpers.program import error_line, run
from tests.helpers.running_serve import RunningServe, running_serve

FORM = {"rate": 16_000, "width": 2, "channels": 1}


@pytest.fixture(scope="module")
def served() -> Iterator[RunningServe]:
    with running_serve(kinds=("wyoming",)) as served:
        yield served


async def said(client: AsyncTcpClient, last: str) -> list[Event]:
    """Events up to the first of a type."""
    events: list[Event] = []
    while not events or events[-1].type != last:
        event = await asyncio.wait_for(client.read_event(), 60)
        assert event is not None, events
        events.append(event)
    return events


async def speak(client: AsyncTcpClient, audio: bytes, *, start: bool) -> None:
    if start:
        await client.write_event(AudioStart(**FORM).event())
    for at in range(0, len(audio), 2048):
        chunk = AudioChunk(audio=audio[at : at + 2048], **FORM)
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())


def test_an_assistant_asks_sends_audio_twice_and_is_told_emotions(
    served: RunningServe,
) -> None:
    samples, _ = soundfile.read(MINUTE, dtype="int16", frames=4 * 16_000)
    audio = samples.tobytes()

    async def converse() -> list[list[Event]]:
        async with AsyncTcpClient("127.0.0.1", served.port("wyoming")) as client:
            await client.write_event(Describe().event())
            (described,) = await said(client, "info")
            await client.write_event(Ping("here").event())
            (pong,) = await said(client, "pong")
            assert Pong.from_event(pong).text == "here"
            Info.from_event(described)
            labels = described.data["emotion"][0]["models"][0]["labels"]
            assert labels == ["angry", "fear", "happy", "neutral", "sad"]
            heard = []
            for start in (True, False):
                await speak(client, audio, start=start)
                heard.append(await said(client, "bye"))
            return heard

    streams = []
    for events in asyncio.run(converse()):
        emotions = [e.data for e in events if e.type == "emotion"]
        assert emotions[0]["phase"] == "start"
        assert emotions[0]["label"] == "fear"
        assert emotions[-1]["phase"] == "end"
        assert sum(e.type == "prediction" for e in events) == 18
        assert events[-1].data["reason"] == "end"
        streams.append(events[0].data["stream"])
    assert streams[0] != streams[1]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"hello\n", "bad_json"),
        (b'{"type":"audio-start"}\n', "bad_message"),
        (b'{"type":"audio-chunk","payload_length":99999999}\n', "bad_message"),
        (b'{"type":"audio-start","data":{"rate":1,"width":2,"channels":1}}\n', "rate"),
        (b"x" * 20_000, "bad_json"),
    ],
)
def test_what_is_no_event_is_an_error_and_the_end(
    served: RunningServe, bad: bytes, code: str
) -> None:
    with socket.create_connection(("127.0.0.1", served.port("wyoming"))) as client:
        client.settimeout(60)
        client.sendall(bad)
        with client.makefile("rb") as answer:
            text = answer.read().decode()
    assert '"type": "error"' in text
    assert code in text
    assert '"reason":"protocol"' in text


def test_a_network_is_trusted_only_if_that_is_said() -> None:
    done: Any = run("serve", "--listen", "wyoming://0.0.0.0:0")
    assert done.returncode == 5
    assert "--trust-network" in error_line(done)
