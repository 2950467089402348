"""Control requests to a daemon that adapts: `adapt.status`, `adapt.now` and so on."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_stream.adaptation.adapter import Adapter

MOST_BYTES = 15 * 1024
"""Bytes of an answer's history: a line of the protocol holds 16 KiB."""
Answer = dict[str, Any]


def _history(adapter: "Adapter") -> Answer:
    """The newest entries, as many as a line can hold."""
    everything = adapter.history()
    first, room = len(everything), MOST_BYTES
    while first:
        room -= len(json.dumps(everything[first - 1], ensure_ascii=False).encode())
        if room < 0:
            break
        first -= 1
    return {"entries": everything[first:], "older": first}


HANDLERS: "dict[str, Callable[[Adapter], Answer]]" = {
    "adapt.status": lambda adapter: adapter.status(),
    "adapt.history": _history,
    "adapt.now": lambda adapter: adapter.now(),
    "adapt.freeze": lambda adapter: adapter.freeze(True),
    "adapt.unfreeze": lambda adapter: adapter.freeze(False),
    "adapt.rollback": lambda adapter: adapter.rollback(),
    "adapt.reset": lambda adapter: adapter.reset(),
}
"""By the command's name in `protocol.commands`; a SerStreamError is a refusal."""
