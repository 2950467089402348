"""What is said before audio is sent, and samples as bytes; for both ways of waiting."""

import os
import sys
from collections.abc import Iterable
from typing import Any, Literal, TypedDict

from ser_stream.client.errors import UnreachableError
from ser_stream.client.lines import as_message, decode, encode
from ser_stream.client.messages import Message
from ser_stream.client.subscription import TIMEOUT, raise_refusal
from ser_stream.errors import ConfigError
from ser_stream.protocol.access_token import VARIABLE
from ser_stream.protocol.address import NATS, SOCKETS, Address, parse

Encoding = Literal["s16", "s24", "s32", "f32", "alaw", "mulaw", "ogg"]
_ID = "ser_stream.client.send"


class SendOptions(TypedDict, total=False):
    """What is sent, and what is wanted of it; all may be left out."""

    rate: int
    """Hertz of the samples, 4000 to 192000, by default 16000; Ogg says its own."""
    channels: int
    """1 to 8, interleaved, by default 1; likewise."""
    encoding: Encoding
    """`s16` by default, `s24`, `s32`, `f32` (little-endian), `alaw`, `mulaw`; or `ogg`
    for Opus or Vorbis in Ogg."""
    name: str
    """What the stream is called, at most 64 characters."""
    only: str | Iterable[str] | None
    """Which events to get, of prediction, emotion and status; None for all."""
    token: str | None
    """For TCP and WebSocket; else `SER_STREAM_TOKEN` of the environment."""
    timeout: float
    """Seconds to connect, and then for `hello`; 10 by default."""


class Opening:
    """One stream's beginning, without a socket."""

    def __init__(self, uri: str, options: SendOptions) -> None:
        """Prepare; a ConfigError if the address is none."""
        if uri.partition(":")[0] in NATS:
            self.address = parse(uri, NATS)
        else:
            self.address = parse(uri, {**SOCKETS, "nats": NATS["nats"]})
        self.encoding = options.get("encoding", "s16")
        self.timeout = options.get("timeout", TIMEOUT)
        self.token = options.get("token") or os.environ.get(VARIABLE)
        self.fields: dict[str, Any] = {
            "type": "open",
            "id": _ID,
            "encoding": self.encoding,
        }
        if self.encoding != "ogg":
            self.fields["rate"] = options.get("rate", 16_000)
            self.fields["channels"] = options.get("channels", 1)
        if name := options.get("name"):
            self.fields["name"] = name
        only = options.get("only")
        if only is not None:
            self.fields["only"] = [only] if isinstance(only, str) else list(only)

    def lines(self) -> list[bytes]:
        """What is sent first."""
        lines = [encode(self.fields)]
        if self.token and self.address.kind != "unix":
            lines.insert(0, encode({"type": "auth", "token": self.token}))
        return lines

    def message(self, line: bytes) -> Message | None:
        """One line of the daemon; None if it is not for the user.

        Raises:
            ProtocolError: if it is no line of protocol 1.
            RefusedError: if it refuses; then nothing goes on.
            UnreachableError: if too many send already.
        """
        fields = decode(line)
        if fields["type"] == "reply":
            raise_refusal(fields, self.address, fields.get("id"))
        return as_message(fields)

    def sample_bytes(self, samples: Any) -> bytes:
        """Samples as they are sent; numpy is only there if the caller has it.

        Raises:
            ConfigError: if they are none that can be sent.
        """
        if isinstance(samples, bytes | bytearray | memoryview):
            return bytes(samples)
        dtype = str(getattr(samples, "dtype", ""))
        known = dtype in ("int16", "float32", "float64")
        if not known or self.encoding not in ("s16", "f32"):
            what = dtype or type(samples).__name__
            raise ConfigError(
                f"samples are {what}, and the encoding {self.encoding}; allowed: "
                "bytes, or arrays of int16 or floats where it is s16 or f32"
            )
        numpy = sys.modules["numpy"]
        if dtype == "int16":
            scaled = samples if self.encoding == "s16" else samples / 32768
        elif self.encoding == "s16":
            scaled = numpy.rint(numpy.clip(samples, -1, 1) * 32767)
        else:
            scaled = samples
        form = "<i2" if self.encoding == "s16" else "<f4"
        result: bytes = scaled.astype(form).tobytes()
        return result


def silent(address: Address) -> UnreachableError:
    """Of a program that takes the connection, and does not say `hello`."""
    return UnreachableError(
        f"{address} took the connection, but did not say hello; is it `ser-stream "
        "serve`?"
    )


def ended() -> ConfigError:
    """Of samples that are written behind the end of a stream."""
    return ConfigError("the stream was ended; nothing can be written any more")
