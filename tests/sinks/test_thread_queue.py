"""A slow reader loses the oldest predictions, is told so, and never grows memory."""

from ser_stream.protocol.messages import Message
from ser_stream.sinks.thread_queue import ThreadQueue


def prediction(seq: int) -> Message:
    return Message({"type": "prediction", "seq": seq})


def emotion(seq: int) -> Message:
    return Message({"type": "emotion", "seq": seq})


def drain(outbox: ThreadQueue) -> list[Message]:
    outbox.close()
    taken = []
    while (message := outbox.get()) is not None:
        taken.append(message)
    return taken


def test_the_oldest_predictions_go_first_and_are_counted() -> None:
    outbox = ThreadQueue(4)
    for seq in range(1, 8):
        outbox.put(emotion(seq) if seq == 2 else prediction(seq))
    first, *rest = drain(outbox)
    assert first.fields == {
        "type": "dropped",
        "count": 3,
        "from_seq": 1,
        "to_seq": 4,
        "reason": "slow_subscriber",
    }
    assert [m.fields["seq"] for m in rest] == [2, 5, 6, 7]


def test_full_of_emotions_it_gives_up_and_says_bye() -> None:
    outbox = ThreadQueue(3)
    for seq in range(1, 100):
        outbox.put(emotion(seq))
    assert outbox.given_up
    taken = drain(outbox)
    assert [m.fields.get("seq") for m in taken[:-1]] == [1, 2, 3, 4]
    assert taken[-1].fields == {"type": "bye", "reason": "slow_subscriber"}


def test_in_time_nothing_is_lost() -> None:
    outbox = ThreadQueue(4)
    for seq in range(1, 5):
        outbox.put(prediction(seq))
    assert [m.fields["seq"] for m in drain(outbox)] == [1, 2, 3, 4]
