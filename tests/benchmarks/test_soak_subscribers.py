"""The subscribers of `make soak` notice what is wrong; else a verdict means nothing."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak import parts, report
from benchmarks.soak.checks import Check, rows
from benchmarks.soak.listener import Inbox, Listener, Tally
from benchmarks.soak.slow_clients import SlowClient

pytestmark = pytest.mark.alone

Message = dict[str, Any]


def prediction(seq: int, end_ms: float) -> Message:
    time = "2026-01-01T00:00:01.000Z"
    kind = {"type": "prediction", "time": time, "latency_ms": 2.0}
    return kind | {"seq": seq, "end_ms": end_ms}


HELLO: Message = {"type": "hello"}
SNAPSHOT: Message = {"type": "snapshot", "end_ms": 512.5}
STATUS: Message = {"type": "status", "seq": 3}


def encoded(messages: Sequence[Message]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def heard(*connections: Sequence[Message]) -> tuple[Tally, Inbox]:
    """What listeners find that get these messages, each in two pieces."""
    inbox, tally = Inbox(timed=True), Tally()
    for messages in connections:
        listener = Listener(inbox, tally, "unix:///nowhere")
        data = encoded(messages)
        listener.take(1767225601.5, data[:50])
        listener.take(1767225601.5, data[50:])
    return tally, inbox


def wrong(messages: Sequence[Message]) -> dict[str, Any]:
    tally, _ = heard(messages)
    return {k: v for k, v in tally.counts().items() if v and k != "events"}


GOOD = [HELLO, SNAPSHOT, prediction(1, 712.5), prediction(2, 912.5), STATUS]


def test_a_listener_is_content_with_what_is_right() -> None:
    tally, inbox = heard(GOOD, GOOD)
    assert wrong(GOOD) == {}
    assert tally.events == 6
    assert list(tally.latencies) == pytest.approx([0.5] * 4)
    assert list(tally.deliveries) == pytest.approx([0.498] * 4)
    assert inbox.original.different == 0


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([HELLO, SNAPSHOT, prediction(1, 912.5)], {"wrong_greetings": 1}),
        ([SNAPSHOT, prediction(1, 712.5)], {"wrong_greetings": 2}),
        ([*GOOD, prediction(5, 1112.5)], {"jumps": 1}),
        ([*GOOD, STATUS], {"jumps": 1}),
        ([*GOOD, prediction(4, 1312.5)], {"skipped_steps": 1}),
        ([*GOOD, {"type": "dropped", "count": 1}], {"dropped": 1}),
        ([*GOOD, {"type": "bye", "reason": "shutdown"}], {"byes": {"shutdown": 1}}),
    ],
)
def test_a_listener_notices_what_is_wrong(
    messages: list[Message], found: dict[str, Any]
) -> None:
    assert wrong(messages) == found


def test_listeners_notice_that_one_gets_other_lines_than_another() -> None:
    _, inbox = heard(GOOD, [*GOOD[:-1], STATUS | {"detail": "x"}])
    assert inbox.original.different == 1


@pytest.mark.parametrize(("count", "accounts"), [(2, 0), (1, 1), (3, 1)])
def test_a_slow_reader_compares_what_is_missing_with_what_was_dropped(
    tmp_path: Path, count: int, accounts: int
) -> None:
    path = tmp_path / "s"
    dropped = {"type": "dropped", "count": count, "to_seq": 3}
    lines = [HELLO, SNAPSHOT, prediction(1, 712.5), dropped, prediction(4, 1312.5)]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        slow = SlowClient(f"unix://{path}")
        with server.accept()[0] as wire:
            wire.sendall(encoded(lines))
            slow.tick()
            assert slow.lines == 1
            slow.drain(4, seconds=5)
        slow.close()
    assert (slow.lines, slow.wrong, slow.dropped) == (5, accounts, count)


def test_the_page_says_what_was_not_run_and_what_is_not_met(tmp_path: Path) -> None:
    part = parts.Part("faults", "M4", "Faults", "no_such_module")
    parts.run(part, 1.0, tmp_path / "soak")
    page = report.write(tmp_path / "soak").read_text()
    assert page == (tmp_path / "soak.md").read_text()
    assert "| M1 | Hundreds of subscribers |  | not run |  |" in page
    assert "ModuleNotFoundError" in page
    assert "**no** |" in page
    assert (tmp_path / "soak" / "memory.png").exists()


def test_a_part_that_failed_is_run_again_and_one_that_ended_is_not(
    tmp_path: Path,
) -> None:
    found = {"finished": True, "scale": 1.0, "checks": rows([Check("a", "", "", True)])}
    (tmp_path / "faults.json").write_text(json.dumps(found))
    (tmp_path / "load.json").write_text(json.dumps(found | {"finished": False}))
    names = ["load", "faults", "fast"]
    assert [p.name for p in parts.missing(names, 1.0, tmp_path)] == ["load", "fast"]
    assert len(parts.missing(names, 0.5, tmp_path)) == 3
