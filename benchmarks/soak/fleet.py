"""M9: workers under one NATS server, killed one after the other while clients speak.

Each round ends with a new worker in place of the one that was killed.
"""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.soak.checks import at_most, none_of, rows
from benchmarks.soak.progress import bar
from tests.helpers.brokers import nats_server
from tests.helpers.fleet import Speaker, fleet, worker_id
from tests.helpers.running_serve import running_serve
from tests.helpers.socket_server import wait_until

WORKERS, STREAMS, ROUNDS = 3, 12, 10
MOVED_S = 2.0
BETWEEN_S = 3.0
TIMEOUT_S = 20.0


def run(scale: float = 1.0) -> dict[str, Any]:
    """All of it; `scale` is of the number of rounds."""
    rounds = max(1, round(ROUNDS * scale))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(nats_server(Path(folder)))
        uri = f"nats://127.0.0.1:{broker.port}/fleet"
        started = stack.enter_context(fleet(uri, WORKERS))
        workers = {worker_id(worker): worker for worker in started}
        speakers = [stack.enter_context(Speaker(uri, f"{n}")) for n in range(STREAMS)]
        wait_until(lambda: all(s.count("prediction") for s in speakers))
        moves: list[dict[str, float]] = []
        disturbed = 0
        with bar("fleet", rounds, "rounds") as shown:
            for number in range(rounds):
                before = [(s, s.worker, s.streams) for s in speakers]
                victim = speakers[number % STREAMS].worker
                workers.pop(victim).process.kill()
                killed = time.monotonic()
                time.sleep(BETWEEN_S)
                for speaker, worker, streams in before:
                    if worker == victim:
                        moves.append(_move(speaker, killed))
                    else:
                        disturbed += speaker.streams != streams
                another = stack.enter_context(running_serve(kinds=(), listen=(uri,)))
                workers[worker_id(another)] = another
                shown.update(1)
    untold = sum(move["lost_s"] == 0 for move in moves)
    checks = [
        at_most(
            "from the kill to the stream at another worker",
            MOVED_S,
            max(move["moved_s"] for move in moves),
            "s",
        ),
        none_of("moves that told no gap", untold, f"of {len(moves)}"),
        none_of("streams of other workers that moved", disturbed),
    ]
    return {"moves": moves, "rounds": rounds, "checks": rows(checks)}


def _move(speaker: Speaker, killed: float) -> dict[str, float]:
    """Seconds from the kill: when `hello` came again, and the next prediction."""
    later = [(at - killed, m) for at, m in list(speaker.heard) if at > killed]
    hellos = [at for at, m in later if m["type"] == "hello"]
    moved_s = hellos[0] if hellos else TIMEOUT_S
    heard = [at for at, m in later if m["type"] == "prediction" and at > moved_s]
    told = [m["detail"] for _, m in later if m["type"] == "status"]
    return {
        "moved_s": round(moved_s, 3),
        "heard_s": round(heard[0], 3) if heard else TIMEOUT_S,
        "lost_s": float(told[0].split()[0]) if told else 0.0,
    }
