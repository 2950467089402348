"""A drop queue behaves as the simplest queue would."""

from hypothesis import given
from hypothesis import strategies as st

from ser_stream.protocol.messages import Message, bye, dropped
from ser_stream.sinks.sockets.drop_queue import DropQueue
from tests.helpers.socket_server import emotion, prediction


class SimplestQueue:
    """What a drop queue promises, without any thought of speed."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.messages: list[Message] = []
        self.lost: list[int] = []
        self.given_up = False

    def put(self, message: Message) -> bool:
        if self.given_up:
            return False
        self.messages.append(message)
        if len(self.messages) <= self.capacity:
            return False
        for i, waiting in enumerate(self.messages):
            if waiting.type == "prediction":
                self.lost.append(self.messages.pop(i).fields["seq"])
                return True
        self.given_up = True
        self.messages.append(bye("slow_subscriber"))
        return False

    def get(self) -> Message | None:
        if self.lost:
            lost, self.lost = self.lost, []
            return dropped(len(lost), lost[0], lost[-1])
        return self.messages.pop(0) if self.messages else None

    def __len__(self) -> int:
        return len(self.messages) + bool(self.lost)


@given(
    capacity=st.integers(1, 6),
    steps=st.lists(st.sampled_from(["prediction", "emotion", "get"]), max_size=60),
)
def test_a_drop_queue_does_what_the_simplest_queue_does(
    capacity: int, steps: list[str]
) -> None:
    queue, simplest = DropQueue(capacity), SimplestQueue(capacity)
    for seq, step in enumerate([*steps, *["get"] * 10]):
        if step == "get":
            assert queue.get() == simplest.get()
        else:
            message = prediction(seq) if step == "prediction" else emotion(seq)
            assert queue.put(message) is simplest.put(message)
        assert queue.given_up is simplest.given_up
        assert len(queue) == len(simplest)


def test_what_is_closed_takes_its_last_message_and_no_other() -> None:
    queue = DropQueue()
    messages = [emotion(seq) for seq in range(4)]
    queue.put(messages[0])
    queue.close(messages[1])
    queue.close(messages[2])
    assert not queue.put(messages[3])
    assert [queue.get() for _ in range(3)] == [*messages[:2], None]
