"""M8: an MQTT broker and a NATS server, stopped and started again under load.

A virtual microphone hears the minute of speech over and over. Both brokers are flooded
by others, end in order and by kill -9 in turns, and start again with what they had
retained.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.soak import usage
from benchmarks.soak.audio import MINUTE
from benchmarks.soak.checks import at_most, none_of, rows, verdict
from benchmarks.soak.progress import bar
from benchmarks.soak.recording_client import RecordingClient
from ser_stream.client import connect, control
from tests.helpers.brokers import Broker, MqttReader, mosquitto, nats_server
from tests.helpers.running_daemon import RunningDaemon, running_daemon
from tests.helpers.virtual_microphone import VirtualMicrophone, virtual_microphone

ROUNDS = 20
SHORTEST_S, LONGEST_S = 0.3, 6.0
"""How long both are away, at full size."""
BACK_S = 3.0
LIE_S = 1.0
"""In which what is retained has to agree: between two looks an emotion may change."""
MEMORY_MB = 5.0
FLOOD_EVERY_S = 0.005
PAYLOAD = b"x" * 1000
PREFIX = "soak/desk"


def run(scale: float = 1.0) -> dict[str, Any]:
    """All of it; `scale` is of the number of rounds."""
    rounds = max(2, round(ROUNDS * scale))
    with contextlib.ExitStack() as stack:
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)
        ]
        mqtt = stack.enter_context(mosquitto(folders[0]))
        nats = stack.enter_context(nats_server(folders[1]))
        microphone = stack.enter_context(virtual_microphone())
        stack.enter_context(_speech(microphone))
        to = [f"mqtt://127.0.0.1:{mqtt.port}/{PREFIX}"]
        to += [f"nats://127.0.0.1:{nats.port}/{PREFIX}"]
        daemon = stack.enter_context(
            running_daemon(
                *(word for uri in to for word in ("--to", uri)),
                source="mic",
                environment=microphone.env,
            )
        )
        client = stack.enter_context(RecordingClient(daemon.addresses[0]))
        for broker, flood in ((mqtt, _flood_mqtt), (nats, _flood_nats)):
            stack.enter_context(_flooding(flood, broker.port))
        longest_s = max(1.0, min(1.0, scale) * LONGEST_S)
        return _rounds(rounds, longest_s, (mqtt, nats), daemon, client)


def _rounds(
    rounds: int,
    longest_s: float,
    brokers: Sequence[Broker],
    daemon: RunningDaemon,
    client: RecordingClient,
) -> dict[str, Any]:
    done = []
    with bar("brokers", rounds, "rounds") as shown:
        for number in range(rounds):
            away_s = random.Random(number).uniform(SHORTEST_S, longest_s)
            done.append(_round(number, away_s, brokers, daemon))
            shown.update(1)
            if number == 0:
                # After the first: what is loaded then stays.
                before = usage.rss_mb(daemon.pid)
                files = usage.settled_descriptors(daemon.pid)
    more_mb = usage.rss_mb(daemon.pid) - before
    more_files = usage.settled_descriptors(daemon.pid, files) - files
    first = _last_seq(client)
    status = control("status", daemon.socket)
    client.sees_more()
    audio, links = status["audio"], status["brokers"]
    counted = [link["sent"] + link["dropped"] for link in links]
    lost = sum(not first <= count <= _last_seq(client) for count in counted)
    back = [one for each in done for one in each["back_s"]]
    bad_audio = audio["gaps"] + audio["overflows"] + status["skipped"]
    dropped = ", ".join(str(link["dropped"]) for link in links)
    checks = [
        none_of("what is retained and does not hold", sum(r["lies"] for r in done)),
        at_most("connected again after a broker's start", BACK_S, max(back), "s"),
        none_of("brokers whose sent and dropped are not all events", lost),
        verdict(
            "predictions dropped while they were away",
            "counted",
            dropped,
            bool(dropped),
        ),
        none_of("gaps, overflows and skipped steps of the audio", bad_audio),
        verdict(
            "the subscriber beside them",
            "every event",
            "undisturbed",
            client.undisturbed,
        ),
        none_of("descriptors left open", max(0, more_files)),
        at_most("memory more after all rounds", MEMORY_MB, more_mb, "MB"),
    ]
    return {
        "rounds": done,
        "brokers": [
            {k: v for k, v in link.items() if k != "address"} for link in links
        ],
        "audio": audio,
        "latency_ms": status["latency_ms"],
        "checks": rows(checks),
    }


def _last_seq(client: RecordingClient) -> int:
    return int(next(m["seq"] for m in reversed(client.messages) if "seq" in m))


def _round(
    number: int, away_s: float, brokers: Sequence[Broker], daemon: RunningDaemon
) -> dict[str, Any]:
    """Take both away, and give them back; all times in seconds."""
    how = signal.SIGKILL if number % 2 else signal.SIGTERM
    for broker in brokers:
        broker.stop(how)
    time.sleep(away_s)
    starts = [broker.start() for broker in brokers]
    back: list[float | None] = [None] * len(brokers)
    deadline = time.monotonic() + 10 * BACK_S
    while None in back and time.monotonic() < deadline:
        links = control("status", daemon.socket)["brokers"]
        for place, link in enumerate(links):
            if link["connected"] and back[place] is None:
                back[place] = time.monotonic() - starts[place]
        time.sleep(0.02)
    found = [10 * BACK_S if seconds is None else seconds for seconds in back]
    return {
        "signal": how.name,
        "away_s": away_s,
        "back_s": found,
        "lies": _lies(brokers[0], daemon),
    }


def _lies(broker: Broker, daemon: RunningDaemon) -> int:
    """Topics of what is retained that a reader finds, and that do not hold."""
    with MqttReader(broker.port, f"{PREFIX}/#") as reader:
        reader.wait(f"{PREFIX}/availability")
        deadline = time.monotonic() + LIE_S
        while True:
            truth = _truth(daemon)
            last = reader.last
            wrong = [t for t, value in truth.items() if last.get(t) != value]
            if not wrong or time.monotonic() > deadline:
                return len(wrong)
            time.sleep(0.05)


def _truth(daemon: RunningDaemon) -> dict[str, str]:
    """What a subscriber of the daemon itself is told: by topic."""
    with connect(daemon.addresses[0], reconnect=False) as stream:
        snapshot = next(m for m in stream if m["type"] == "snapshot")
    emotion = snapshot["emotion"]
    healthy = snapshot["audio"] == "healthy"
    return {
        f"{PREFIX}/availability": "online",
        f"{PREFIX}/state/connectivity": "ON" if healthy else "OFF",
        f"{PREFIX}/state/emotion": "none" if emotion is None else emotion["label"],
    }


@contextlib.contextmanager
def _speech(microphone: VirtualMicrophone) -> Iterator[None]:
    """The minute, over and over, into the room."""
    again = f"while paplay --device=room '{MINUTE}'; do :; done"
    with subprocess.Popen(
        ["sh", "-c", again], env=microphone.env, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _flooding(
    flood: Callable[[int, threading.Event], None], port: int
) -> Iterator[None]:
    """200 KB a second from somebody else, whenever the broker is there."""
    over = threading.Event()
    thread = threading.Thread(target=flood, args=(port, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _flood_mqtt(port: int, over: threading.Event) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    while not over.wait(FLOOD_EVERY_S):
        if client.is_connected():
            client.publish("load/mqtt", PAYLOAD)
    client.loop_stop()


def _flood_nats(port: int, over: threading.Event) -> None:
    while not over.wait(FLOOD_EVERY_S):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 1) as connection,
        ):
            connection.sendall(b'CONNECT {"verbose":false}\r\n')
            while not over.wait(FLOOD_EVERY_S):
                size = str(len(PAYLOAD)).encode()
                connection.sendall(b"PUB load.nats %s\r\n%s\r\n" % (size, PAYLOAD))
