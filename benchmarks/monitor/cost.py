"""What the monitor costs: in the browser with an hour of events, and in the daemon.

The hour is told by a server of ours within a second, as of a daemon that ran for that
long; what then comes live comes at five a second. Chromium draws without a graphics
card here, so all of its time is a processor's.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import soundfile as sf

from ser_stream.client import control
from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page, browser
from tests.helpers.monitor import at, open_monitor, recorded
from tests.helpers.paths import MINUTE
from tests.helpers.running_daemon import RunningDaemon, running_daemon
from tests.helpers.socket_server import serving, wait_until
from tests.helpers.subpath_proxy import free_port

HOUR = 18_000
CALM_S = 22.0
"""Until the page knows that nobody touches it."""
SECONDS = 20.0
DAEMON_SECONDS = 50.0
TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> None:
    """Print figures of both; takes six minutes."""
    page_cost()
    daemon_cost()


def cpu_seconds(pid: int) -> float:
    """Of a process and all its children that live."""
    used, wanted = 0.0, {pid}
    fields = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            fields[int(entry.name)] = rest
    grown = True
    while grown:
        more = {one for one, rest in fields.items() if int(rest[1]) in wanted}
        grown = not more <= wanted
        wanted |= more
    for one in wanted & fields.keys():
        used += (int(fields[one][11]) + int(fields[one][12])) / TICKS
    return used


def share(pid: int, seconds: float) -> float:
    """Per cent of a core that it uses."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (cpu_seconds(pid) - before) / (time.monotonic() - began)


def page_cost() -> None:
    with serving("ws://localhost:0") as server, browser() as page:
        page.size(1440, 1070)
        events = minutes_on_end()
        tell_an_hour(server, events)
        began = time.monotonic()
        open_monitor(page, server)
        page.wait_for("#facts", "steps since")
        say(f"page: an hour is shown after {time.monotonic() - began:.1f} s")
        for span in (60, 3600):
            page.value(f"document.querySelector('[data-span=\"{span}\"]').click()")
            time.sleep(CALM_S)
            idle = share(page.pid, SECONDS)
            live = share_live(server, page, events)
            say(f"page: view of {span} s: {idle:.1f} % idle, {live:.1f} % live")
        page.call("HeapProfiler.enable")
        page.call("HeapProfiler.collectGarbage")
        used = page.call("Runtime.getHeapUsage")
        heap = (used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6
        say(f"page: heap {heap:.1f} MB")


def minutes_on_end() -> Iterator[Message]:
    """The events of the bundled minute, again and again, numbered and timed anew."""
    minute = [event for event in recorded() if "seq" in event]
    for seq, (turn, event) in enumerate(
        ((turn, event) for turn in count() for event in minute), start=1
    ):
        later = 60_000 * turn
        moved = {key: event[key] + later for key in ("start_ms", "end_ms")}
        if event["type"] == "emotion":
            moved["id"] = event["id"] + 100 * turn
        time = at(moved["end_ms"] / 1000)
        yield Message({**event, **moved, "seq": seq, "time": time})


def tell_an_hour(server: SocketServer, events: Iterator[Message]) -> int:
    """Send so many steps; how many of them there were."""
    steps = 0
    while steps < HOUR:
        message = next(events)
        server.send(message)
        steps += message.type == "prediction"
    return steps


def share_live(server: SocketServer, page: Page, events: Iterator[Message]) -> float:
    stop = threading.Event()

    def speak() -> None:
        for message in events:
            server.send(message)
            if message.type == "prediction" and stop.wait(0.2):
                return

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        time.sleep(2)
        return share(page.pid, SECONDS)
    finally:
        stop.set()
        speaker.join()


def daemon_cost() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sound, rate = sf.read(MINUTE, dtype="int16")
        long = Path(folder) / "long.wav"
        sf.write(long, np.tile(sound, 5), rate)
        port = free_port()
        address = f"ws://127.0.0.1:{port}"
        with running_daemon("--to", address, source=long) as daemon:
            time.sleep(3)
            alone = [share(daemon.pid, DAEMON_SECONDS)]
            with browser() as page:
                open_pages(page, f"http://127.0.0.1:{port}/", 3)
                wait_until(lambda: listeners(daemon) == 3)
                three = share(daemon.pid, DAEMON_SECONDS)
            alone.append(share(daemon.pid, DAEMON_SECONDS))
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            rss = next(line for line in status.splitlines() if "VmRSS" in line)
    say(
        f"daemon: {alone[0]:.2f} and {alone[1]:.2f} % of a core alone, {three:.2f} % "
        f"with three pages: {three - sum(alone) / 2:+.2f} %; resident "
        f"{int(rss.split()[1]) / 1000:.0f} MB"
    )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def listeners(daemon: RunningDaemon) -> int:
    subscribers = control("status", daemon.socket)["subscribers"]
    return int(subscribers.get("ws", 0))


def open_pages(page: Page, url: str, count: int) -> None:
    for _ in range(count - 1):
        page.call("Target.createTarget", url=url)
    page.go(url)
