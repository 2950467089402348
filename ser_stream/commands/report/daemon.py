"""A daemon that runs -> the events that it still holds, an hour of them."""

from collections.abc import Iterator

from ser_stream.client import Message, connect
from ser_stream.client.past import MAX_SECONDS


def held_by(uri: str, token: str | None) -> Iterator[Message]:
    """Its events up to now, behind its `hello`.

    Raises:
        SerStreamError: if it cannot be reached, refuses us, or holds none.
    """
    with connect(uri, token=token, reconnect=False, history=MAX_SECONDS) as stream:
        last: int | None = None
        for message in stream:
            yield message
            if message["type"] == "history":
                last = message["to_seq"]
                if last is None:
                    return
            elif last is not None and "seq" in message and message["seq"] >= last:
                return
