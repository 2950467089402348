"""Which containers there are, by their first bytes, and what reads each.

One table for files, pipes and standard input. libsndfile reads what it knows; the rest
an installed ffmpeg does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ser_stream.sources.decoders.flac import MAGIC as FLAC
from ser_stream.sources.decoders.mpeg import frame_header, is_mpeg
from ser_stream.sources.decoders.wav import is_wav

Reader = Literal["wav", "flac", "mpeg", "ogg", "sndfile", "ffmpeg"]
LOOKED_AT = 4096
"""Bytes at the beginning that may decide."""


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file."""

    name: str
    """What users call it."""
    matches: Callable[[bytes], bool]
    """Whether the first bytes are of it."""
    reader: Reader
    demuxer: str = ""
    """ffmpeg's name of it, where ffmpeg reads it."""
    seeks: bool = False
    """Whether ffmpeg has to seek in it: its directory may stand at the end."""
    weak: bool = False
    """Whether samples without a header may look like it by chance."""


def _begins(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _form(outer: bytes, *inner: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == outer and head[8:12] in inner


def _is_mp4(head: bytes) -> bool:
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot")


def _is_adts(head: bytes) -> bool:
    """AAC in frames, each with its length; two of them, or all there is."""
    for _ in range(2):
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return False
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if length < 7:
            return False
        if length >= len(head):
            return True
        head = head[length:]
    return True


def _is_mpeg(head: bytes) -> bool:
    return frame_header(head) is not None and is_mpeg(head)


def _is_transport(head: bytes) -> bool:
    return len(head) > 376 and all(head[at] == 0x47 for at in (0, 188, 376))


_OGG_CODECS = (b"\x01vorbis", b"OpusHead")


def _is_ogg(head: bytes) -> bool:
    return head[:4] == b"OggS" and any(codec in head[:200] for codec in _OGG_CODECS)


_W64 = b"riff\x2e\x91\xcf\x11"
_ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"

CONTAINERS = (
    Container("WAV", is_wav, "wav"),
    Container("FLAC", _begins(FLAC), "flac"),
    Container("Ogg", _is_ogg, "ogg"),
    Container("Ogg", _begins(b"OggS"), "ffmpeg", "ogg"),
    Container("AIFF", _form(b"FORM", b"AIFF", b"AIFC"), "sndfile"),
    Container("8SVX", _form(b"FORM", b"8SVX", b"16SV"), "sndfile"),
    Container("AU", _begins(b".snd", b"dns."), "sndfile"),
    Container("CAF", _begins(b"caff"), "sndfile", "caf", seeks=True),
    Container("W64", _begins(_W64), "sndfile"),
    Container("NIST Sphere", _begins(b"NIST_1A"), "sndfile", "nistsphere"),
    Container("VOC", _begins(b"Creative Voice File"), "sndfile", "voc"),
    Container("IRCAM", _begins(b"\x64\xa3\x01\x00", b"\x00\x01\xa3\x64"), "sndfile"),
    Container("PAF", _begins(b" paf", b"fap "), "sndfile"),
    Container("AVR", _begins(b"2BIT"), "sndfile"),
    Container("WVE", _begins(b"ALawSoundFile**"), "sndfile"),
    Container("MAT5", _begins(b"MATLAB 5.0 MAT"), "sndfile"),
    Container("PVF", _begins(b"PVF1"), "sndfile"),
    Container("MP4", _is_mp4, "ffmpeg", "mov", seeks=True),
    Container("WebM or Matroska", _begins(b"\x1aE\xdf\xa3"), "ffmpeg", "matroska"),
    Container("WMA", _begins(_ASF), "ffmpeg", "asf", seeks=True),
    Container("AMR", _begins(b"#!AMR"), "ffmpeg", "amr"),
    Container("AVI", _form(b"RIFF", b"AVI "), "ffmpeg", "avi", seeks=True),
    Container("FLV", _begins(b"FLV\x01"), "ffmpeg", "flv"),
    Container("MPEG program stream", _begins(b"\x00\x00\x01\xba"), "ffmpeg", "mpeg"),
    Container("WavPack", _begins(b"wvpk"), "ffmpeg", "wv", seeks=True),
    Container("Monkey's Audio", _begins(b"MAC "), "ffmpeg", "ape", seeks=True),
    Container("TTA", _begins(b"TTA1"), "ffmpeg", "tta", seeks=True),
    Container("TAK", _begins(b"tBaK"), "ffmpeg", "tak", seeks=True),
    Container("DSF", _begins(b"DSD "), "ffmpeg", "dsf", seeks=True),
    Container("Musepack", _begins(b"MPCK"), "ffmpeg", "mpc8", seeks=True),
    Container("Musepack", _begins(b"MP+"), "ffmpeg", "mpc", seeks=True),
    Container("RealMedia", _begins(b".RMF", b".ra\xfd"), "ffmpeg", "rm", seeks=True),
    Container("AC-3", _begins(b"\x0b\x77"), "ffmpeg", "ac3", weak=True),
    Container("MPEG transport stream", _is_transport, "ffmpeg", "mpegts", weak=True),
    Container("AAC", _is_adts, "ffmpeg", "aac", weak=True),
    Container("AAC", _begins(b"ADIF"), "ffmpeg", "aac"),
    Container("MP3", _is_mpeg, "mpeg", weak=True),
)
"""The first that matches counts."""


def identify(head: bytes) -> Container | None:
    """The container that begins so; None if nobody knows it.

    Args:
        head: the first `LOOKED_AT` bytes, behind an ID3 tag if there is one.
    """
    return next((each for each in CONTAINERS if each.matches(head)), None)


TEXT = "text"


def no_audio(head: bytes) -> str | None:
    """What people take for audio and is none; None if it may be some."""
    text = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a page of HTML: the download has failed"
    if text.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer: fetch the file with git lfs pull"
    if text.startswith(b"/annex/objects/"):
        return "a git-annex pointer: fetch the file with git annex get"
    if text.startswith((b"<?xml", b"{")):
        return TEXT
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    return TEXT if head and _is_text(head[:512]) else None


_OTHERS = (
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x1f\x8b\x08", "compressed by gzip: unpack it first"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ", "compressed by xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff\xe0", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MThd", "MIDI: notes, no sound"),
)


def _is_text(head: bytes) -> bool:
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
    return printable == len(head)
