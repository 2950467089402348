"""What the monitor costs: in the browser with an hour of events, and in the daemon.

The hour is told by a server of ours within a second, as of a daemon that ran for that
long; what then comes live comes at five a second. Chromium draws without a graphics
card here, so all of its time is a processor's.
"""

import os
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from ser_stream.protocol.messages import Message
from ser_stream.sinks.sockets.server import SocketServer
from tests.helpers.browser import Page, browser
from tests.helpers.monitor import open_monitor, steady, step
from tests.helpers.paths import MINUTE
from tests.helpers.running_daemon import running_daemon
from tests.helpers.socket_server import LABELS, serving
from tests.helpers.subpath_proxy import free_port

HOUR = 18_000
SECONDS = 30.0
DAEMON_SECONDS = 55.0
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
        tell_an_hour(server)
        time.monotonic()
        open_monitor(page, server)
        page.wait_for("#facts", f"{HOUR} steps")
        for span in (60, 3600):
            page.value(f"document.querySelector('[data-span=\"{span}\"]').click()")
            time.sleep(2)
            share(page.pid, SECONDS)
            share_live(server, page)
        page.call("HeapProfiler.enable")
        page.call("HeapProfiler.collectGarbage")
        used = page.call("Runtime.getHeapUsage")
        (used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6


def tell_an_hour(server: SocketServer) -> None:
    numbers = random.Random(1)
    for seq in range(1, HOUR + 1):
        server.send(noisy(seq, numbers))
        if seq % 20 == 0:
            phase = ("start", "update", "end")[seq // 20 % 3]
            label = LABELS[seq // 60 % 5]
            server.send(steady(seq, phase, label, 1 + seq // 60, seq // 60 * 12))


def noisy(seq: int, numbers: random.Random) -> Message:
    """A step as hard to draw as a real one."""
    label = numbers.choice([*LABELS, "uncertain", None])
    score = round(0.4 + numbers.random() / 2, 4)
    return step(seq, label, score) if label else step(seq, None)


def share_live(server: SocketServer, page: Page) -> float:
    stop = threading.Event()
    numbers = random.Random(2)

    def speak() -> None:
        seq = HOUR + 1
        while not stop.wait(0.2):
            server.send(noisy(seq, numbers))
            seq += 1

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
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
                page.wait_for("#facts", "3 ws")
                share(daemon.pid, DAEMON_SECONDS)
            alone.append(share(daemon.pid, DAEMON_SECONDS))
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            next(line for line in status.splitlines() if "VmRSS" in line)
    sum(alone) / 2


def open_pages(page: Page, url: str, count: int) -> None:
    for _ in range(count - 1):
        page.call("Target.createTarget", url=url)
    page.go(url)
