"""A daemon that runs -> the events that it still holds, an hour of them."""

from collections.abc import Iterator

from ser_stream.client import Message, connect
from ser_stream.client.past import MAX_SECONDS


def held_by(
    uri: str, token: str | None, source: str | None = None
) -> Iterator[Message]:
    """Its events up to now, behind its `hello`; of several sources, of this one.

    Raises:
        SerStreamError: if it cannot be reached, refuses us, or holds none.
    """
    with connect(
        uri, source=source, token=token, reconnect=False, history=MAX_SECONDS
    ) as stream:
        told = 0
        last: dict[str, int] = {}
        for message in stream:
            yield message
            if message["type"] == "bye":
                return
            of = message.get("source", "")
            if message["type"] == "history":
                told += 1
                if message["to_seq"] is not None:
                    last[of] = message["to_seq"]
            elif of in last and "seq" in message and message["seq"] >= last[of]:
                del last[of]
            # Of each source there is one `history`, before all events.
            if told and told >= len(stream.hellos) and not last:
                return
