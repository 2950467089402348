"""Carries out control requests of the unix socket."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ser_stream.errors import SerStreamError
from ser_stream.protocol.messages import Message, refusal, reply
from ser_stream.protocol.requests import Request

_LOGGER = logging.getLogger(__name__)
Control = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Carries out what `do` says, with the fields of the request; a SerStreamError is a
refusal."""


async def answer_control(control: Control, request: Request) -> Message:
    """Carry a control request out; whatever happens there is an answer."""
    do = request.fields["do"]
    try:
        answer = reply(request.id, await control(do, request.fields))
        answer.line  # noqa: B018  what cannot be sent fails here
    except SerStreamError as error:
        return refusal(request.id, "refused", str(error))
    except Exception:
        _LOGGER.exception("control %s failed", do)
        text = f"{do} failed; the daemon's log says why"
        return refusal(request.id, "failed", text)
    return answer
