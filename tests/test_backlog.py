"""A backlog behaves as the simplest queue would, and costs the same however full."""

import time

from hypothesis import given
from hypothesis import strategies as st

from ser_stream.events import Message
from ser_stream.sinks.backlog import Backlog
from tests.hub_server import emotion, prediction


class SimplestQueue:
    """What a backlog promises, without any thought of speed."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.messages: list[Message] = []
        self.lost: list[int] = []
        self.bye = False

    def put(self, message: Message) -> None:
        if self.bye:
            return
        self.messages.append(message)
        if len(self.messages) > self.capacity:
            for i, waiting in enumerate(self.messages):
                if waiting.type == "prediction":
                    self.lost.append(self.messages.pop(i).fields["seq"])
                    return
            self.bye = True

    def get(self) -> object:
        if self.lost:
            lost, self.lost = self.lost, []
            return len(lost), lost[0], lost[-1]
        if self.messages:
            return self.messages.pop(0).fields["seq"]
        return None


def said(message: Message | None) -> object:
    if message is None or message.type == "bye":
        return None
    fields = message.fields
    if message.type == "dropped":
        return fields["count"], fields["from_seq"], fields["to_seq"]
    return fields["seq"]


@given(
    capacity=st.integers(1, 6),
    steps=st.lists(st.sampled_from(["prediction", "emotion", "get"]), max_size=60),
)
def test_a_backlog_does_what_the_simplest_queue_does(
    capacity: int, steps: list[str]
) -> None:
    backlog, simplest = Backlog(capacity), SimplestQueue(capacity)
    dropped = 0
    for seq, step in enumerate([*steps, *["get"] * 20]):
        if step == "get":
            assert said(backlog.get()) == simplest.get()
            continue
        message = prediction(seq) if step == "prediction" else emotion(seq)
        lost = len(simplest.lost)
        simplest.put(message)
        was_dropped = backlog.put(message)
        assert was_dropped is (len(simplest.lost) > lost)
        dropped += was_dropped
        assert backlog.given_up is simplest.bye
        assert len(backlog) == len(simplest.messages) + bool(simplest.lost) + (
            simplest.bye
        )


def test_what_is_closed_takes_its_last_message_and_no_other() -> None:
    backlog = Backlog()
    backlog.put(emotion(1))
    backlog.close(emotion(2))
    backlog.close(emotion(3))
    assert not backlog.put(emotion(4))
    assert [said(backlog.get()) for _ in range(3)] == [1, 2, None]


def test_a_full_backlog_costs_no_more_than_an_empty_one() -> None:
    def seconds(capacity: int) -> float:
        backlog = Backlog(capacity)
        # Emotions in front: who looks for the oldest prediction must not pass them.
        for seq in range(capacity - 10):
            backlog.put(emotion(seq))
        messages = [prediction(seq) for seq in range(5000)]
        begin = time.perf_counter()
        for message in messages:
            backlog.put(message)
        return time.perf_counter() - begin

    assert min(seconds(20_000) for _ in range(3)) < 10 * min(
        seconds(20) for _ in range(3)
    )
