"""The container of a stream -> what decodes it."""

import logging

from ser_stream.errors import SourceError
from ser_stream.sources.decoders import Decoder
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.containers import (
    LOOKED_AT,
    TEXT,
    Container,
    identify,
    no_audio,
)
from ser_stream.sources.decoders.encoding import RawForm
from ser_stream.sources.decoders.ffmpeg import FfmpegDecoder, installed
from ser_stream.sources.decoders.flac import FlacDecoder
from ser_stream.sources.decoders.links import LinkedDecoder
from ser_stream.sources.decoders.mpeg import MpegSplitter, id3_length
from ser_stream.sources.decoders.ogg import OggSplitter
from ser_stream.sources.decoders.raw import RawDecoder
from ser_stream.sources.decoders.sndfile import RAW_HINT, SndfileDecoder
from ser_stream.sources.decoders.spool import SpooledStream
from ser_stream.sources.decoders.wav import WavDecoder, read_header

_LOGGER = logging.getLogger(__name__)


def open_decoder(stream: ByteStream, raw: RawForm | None) -> Decoder:
    """What decodes a stream.

    The stream is closed with the decoder, and if there is none.

    Args:
        stream: from its beginning.
        raw: what samples are that have no header; None where there must be one.

    Raises:
        SourceError: if it is no audio that can be read.
    """
    try:
        head = stream.peek(LOOKED_AT)
        if not head:
            raise SourceError(f"{stream.name} is empty: no audio came")
        # Programs that write tags may put theirs before another one.
        while tag := id3_length(head):
            if stream.skip(tag) < tag or not (head := stream.peek(LOOKED_AT)):
                raise SourceError(f"{stream.name} holds no samples: only an ID3 tag")
        container = identify(head)
        if raw is not None and (container is None or container.weak):
            return _bare(stream, head, container, raw)
        if container is None:
            return _unknown(stream, head)
        return _open(stream, container)
    except BaseException:
        stream.close()
        raise


def _open(stream: ByteStream, container: Container) -> Decoder:
    reader = container.reader
    if reader == "flac":
        return FlacDecoder(stream)
    if reader == "mpeg":
        return LinkedDecoder(stream, MpegSplitter())
    if reader == "ogg":
        return LinkedDecoder(stream, OggSplitter())
    if reader == "wav":
        stream.mark()
        header = read_header(stream)
        if header.encoding is not None:
            stream.forget()
            return WavDecoder(stream, header)
        # Something compressed within.
        stream.rewind()
    elif reader == "ffmpeg":
        if container.seeks:
            stream = _file(stream)
        splitter = OggSplitter() if container.name == "Ogg" else None
        return FfmpegDecoder(stream, container.name, container.demuxer, splitter)
    stream = _file(stream)
    try:
        return SndfileDecoder(stream)
    except SourceError:
        # CAF and VOC hold more than libsndfile knows.
        if not container.demuxer or not installed():
            raise
    return FfmpegDecoder(stream, container.name, container.demuxer)


def _file(stream: ByteStream) -> ByteStream:
    """The stream, if it can be sought in, or a copy that can."""
    return stream if stream.regular and stream.path else SpooledStream(stream)


def _bare(
    stream: ByteStream, head: bytes, container: Container | None, raw: RawForm
) -> Decoder:
    """What its user says has no header, though something may speak against it.

    Raises:
        SourceError: if it is a page or an archive for sure.
    """
    what = no_audio(head)
    if what is not None and what != TEXT:
        raise SourceError(f"{stream.name} is not audio: it is {what}")
    if container is not None:
        _LOGGER.warning(
            "%s begins like %s, but is heard as samples without a header; leave out "
            "--raw, --rate, --channels and --encoding if it is",
            stream.name,
            container.name,
        )
    return RawDecoder(stream, raw.to_encoding())


def _unknown(stream: ByteStream, head: bytes) -> Decoder:
    """Ask libsndfile, which knows more than has a name here, but not by a pipe.

    Raises:
        SourceError: if it knows nothing either.
    """
    name = stream.name
    what = no_audio(head)
    if what is not None:
        raise SourceError(f"{name} is not audio: it is {what}")
    path = stream.path if stream.regular else None
    bare = path is None or path.suffix.lower() in _BARE
    if path is not None and not bare:
        decoder = SndfileDecoder(stream)
        if not decoder.is_mpeg:
            return decoder
        # Behind bytes that are none; but of its length libsndfile has only a guess.
        decoder.close_file()
        return LinkedDecoder(stream, MpegSplitter())
    raise SourceError(f"{name} is not audio: it begins like no container; {RAW_HINT}")


_BARE = (".raw", ".pcm", ".s16", ".alaw", ".al", ".ulaw", ".ul", ".sw", ".bin", "")
"""Endings of files without a header."""
