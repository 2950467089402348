"""Lines and audio as bytes of a connection, without its socket."""

import pytest

from ser_stream.client.framing import WebSocketFraming
from ser_stream.protocol.address import SOCKETS, parse


def test_audio_for_a_websocket_that_is_not_open_is_a_broken_pipe() -> None:
    framing = WebSocketFraming(parse("ws://127.0.0.1:1/", SOCKETS))
    framing.outgoing()
    with pytest.raises(BrokenPipeError):
        framing.send_audio(bytes(2))
