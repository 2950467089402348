"""What a voice assistant says of its samples, in `audio-start` and `audio-chunk`."""

from typing import Final

from ser_stream.protocol.requests import RequestError
from ser_stream.protocol.wyoming import WyomingEvent
from ser_stream.sources.decoders.encoding import RawEncoding, RawForm
from ser_stream.sources.network.open_request import check_open, open_request

ENCODINGS: Final[dict[int, RawEncoding]] = {2: "s16", 3: "s24", 4: "s32"}
"""By `width`, bytes of a sample."""


def form_of(event: WyomingEvent) -> RawForm:
    """The form of the samples.

    Raises:
        RequestError: if that is none that is allowed.
    """
    width = event.data.get("width")
    encoding = ENCODINGS.get(width) if isinstance(width, int) else None
    if encoding is None:
        text = f"{event.type} needs width, bytes of a sample: 2, 3 or 4"
        raise RequestError("bad_message", text)
    fields = {
        "encoding": encoding,
        "rate": event.data.get("rate"),
        "channels": event.data.get("channels"),
    }
    check_open(fields, None)
    raw = open_request(fields, None).raw
    assert raw is not None
    return raw
