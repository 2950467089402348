"""What waits for a broker, within bounds, and what is told of the rest."""

from ser_stream.protocol.messages import Message
from ser_stream.sinks.brokers import outbox
from ser_stream.sinks.brokers.outbox import Outbox
from tests.helpers.socket_server import emotion, prediction


def taken(box: Outbox) -> list[tuple[str, int]]:
    """Types and numbers of all that it gives; of `dropped` the count."""
    found = []
    while (message := box.take()) is not None:
        fields = message.fields
        found.append((message.type, fields.get("seq", fields.get("count"))))
    return found


def test_emotions_wait_for_a_broker_that_is_away_and_predictions_do_not() -> None:
    box = Outbox()
    box.put(prediction(1))
    box.put(emotion(2))
    box.leave()
    box.put(prediction(3))
    assert (len(box), box.dropped) == (1, 2)
    assert taken(box) == [("dropped", 2), ("emotion", 2)]


def test_what_is_full_drops_its_oldest() -> None:
    box = Outbox()
    for seq in range(1, outbox.OTHERS + 4):
        box.put(emotion(seq))
    for seq in range(outbox.PREDICTIONS + 2):
        box.put(prediction(5000 + seq))
    assert (len(box), box.dropped) == (outbox.OTHERS + outbox.PREDICTIONS, 5)
    order = taken(box)
    assert order[:2] == [("dropped", 5), ("emotion", 4)]
    assert order[-1] == ("prediction", 5000 + outbox.PREDICTIONS + 1)


def test_what_did_not_arrive_is_first_again_or_counted() -> None:
    box = Outbox()
    for message in (emotion(1), prediction(2), emotion(3)):
        box.put(message)
    first = box.take()
    assert first is not None
    box.failed(first)
    assert box.take() == first
    second = box.take()
    assert second is not None
    box.failed(second)
    told = box.take()
    assert told is not None
    box.failed(told)
    assert taken(box) == [("dropped", 1), ("emotion", 3)]
    assert box.dropped == 1


def test_losses_are_told_of_each_source() -> None:
    box = Outbox()
    box.leave()
    for name in ("left", "right", "left"):
        box.put(Message({**prediction(7).fields, "source": name}))
    told = [box.take(), box.take()]
    assert {(m.fields["source"], m.fields["count"]) for m in told if m} == {
        ("left", 2),
        ("right", 1),
    }
