"""Six seconds of speech as users have them: whole, damaged, and what is no sound.

Made by sox and ffmpeg, or byte by byte where no program writes such a thing.
"""

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import soundfile

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders.mpeg import id3_length
from tests.helpers.paths import MINUTE

PICTURE_BYTES = 300_000


def sox(*words: str | Path | float) -> None:
    subprocess.run(["sox", *map(str, words)], capture_output=True, check=True)


def ffmpeg(source: str | Path, options: str, made: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(source)]
    subprocess.run(
        [*command, *options.split(), f"file:{made}"], capture_output=True, check=True
    )


def part(name: bytes, body: bytes) -> bytes:
    """A chunk of RIFF, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*parts: bytes) -> bytes:
    body = b"WAVE" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(channels: int, rate: int, bits: int, *, extensible: bool = False) -> bytes:
    """The chunk that says what the samples are."""
    frame = channels * bits // 8
    tag = 0xFFFE if extensible else 1
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        guid = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
        body += struct.pack("<HHI", 22, bits, (1 << channels) - 1) + guid
    return part(b"fmt ", body)


def packed24(samples: FloatArray) -> bytes:
    wide = (samples * 2**23).astype("<i4").reshape(-1, 1).view(np.uint8)
    return wide.reshape(-1, 4)[:, :3].tobytes()


def id3_with_picture() -> bytes:
    """A tag before the sound, as programs for music write it."""
    picture = b"\0image/png\0\3\0" + b"\x89PNG\r\n\x1a\n" + bytes(PICTURE_BYTES)
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = len(frame)
    coded = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + coded + frame


def ape_and_id3v1() -> bytes:
    """Tags behind the sound."""
    item = struct.pack("<II", 4, 0) + b"Title\0talk"
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, 0) + bytes(8)
    return item + footer + b"TAG" + b"talk".ljust(125, b"\0")


def png() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


def make_whole(folder: Path) -> None:
    """Recordings of which all can be heard; `clip.wav` is what they are made of."""
    folder.mkdir(parents=True)
    clip = folder / "clip.wav"
    sox(MINUTE, clip, "trim", "3", "6")
    samples, _ = soundfile.read(clip, dtype="float32")
    bare = clip.read_bytes()[-2 * len(samples) :]
    _make_narrow(clip, folder)
    _make_coded(clip, folder)
    _make_tagged(folder)
    _make_headers(samples, bare, folder)
    _make_channels(samples, clip, folder)
    _make_videos(clip, folder)
    ffmpeg(clip, "", folder / "x.au")
    ffmpeg(clip, "-c:a pcm_s16be", folder / "pcm.caf")
    ffmpeg(clip, "-c:a aac -movflags faststart", folder / "begin.m4a")
    for name in ODD_NAMES:
        (folder / name).write_bytes((folder / "x.m4a").read_bytes())
    (folder / "really-mp3.wav").write_bytes((folder / "noxing.mp3").read_bytes())
    (folder / "really-wav.mp3").write_bytes(clip.read_bytes())


ODD_NAMES = (
    *("with space.m4a", "it's.m4a", 'a "b".m4a', "new\nline.m4a", "100%d.m4a"),
    *("file:x.m4a", "concat:x|y.m4a", "pipe:0.m4a", "http:x.m4a", "[a]{b}*?.m4a"),
)
"""What a shell, ffmpeg or Python may take for something else."""


def _make_narrow(clip: Path, folder: Path) -> None:
    sox(clip, "-r", 8000, "-e", "a-law", folder / "alaw8k.wav")
    sox(clip, "-r", 8000, "-e", "mu-law", folder / "mulaw8k.wav")
    sox(clip, "-r", 8000, folder / "tel8k.wav")
    sox(clip, "-c", 1, folder / "quiet30.wav", "gain", -30)
    sox(clip, folder / "lowpass.wav", "gain", -1, "sinc", -3400)
    ffmpeg(clip, "-c:a libmp3lame -b:a 64k", folder / "low.mp3")
    ffmpeg(folder / "low.mp3", "", folder / "low_decoded.wav")


def _make_coded(clip: Path, folder: Path) -> None:
    sox(clip, "-r", 44100, "-c", 2, folder / "sox44.mp3", "gain", -1)
    options = "-ar 44100 -c:a libmp3lame -q:a 4 -write_xing 0"
    ffmpeg(clip, options, folder / "noxing.mp3")
    ffmpeg(clip, "-c:a libmp3lame", folder / "mp3_in.wav")
    ffmpeg(clip, "-ar 96000 -sample_fmt s32", folder / "96k24.flac")
    ffmpeg(clip, "-c:a libvorbis", folder / "x.ogg")
    ogg = (folder / "x.ogg").read_bytes()
    (folder / "chained.ogg").write_bytes(ogg + ogg)
    for form_, to in {"flac": "-f flac -", "aiff": "-f aiff -"}.items():
        done = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", clip, *to.split()],
            capture_output=True,
            check=True,
        )
        (folder / f"piped.{form_}").write_bytes(done.stdout)
    for ending, codec in {
        "m4a": "aac",
        "webm": "libopus",
        "aac": "aac",
        "mka": "libopus",
        "3gp": "aac",
        "wma": "wmav2",
        "caf": "alac",
    }.items():
        ffmpeg(clip, f"-c:a {codec}", folder / f"x.{ending}")


def _make_tagged(folder: Path) -> None:
    ffmpeg(folder / "clip.wav", "", folder / "x.flac")
    for name in ("noxing.mp3", "x.aac", "x.flac"):
        tagged = id3_with_picture() + (folder / name).read_bytes()
        (folder / f"picture.{name}").write_bytes(tagged)
    mp3 = (folder / "noxing.mp3").read_bytes()
    (folder / "tags-behind.mp3").write_bytes(mp3 + ape_and_id3v1())
    # Some programs reserve room for a tag, and never write it.
    (folder / "room-before.mp3").write_bytes(bytes(2048) + mp3[id3_length(mp3) :])
    (folder / "room-behind.mp3").write_bytes(mp3 + bytes(2048))
    ogg = (folder / "x.ogg").read_bytes()
    (folder / "room-behind.ogg").write_bytes(ogg + bytes(2047))


def _make_headers(samples: FloatArray, bare: bytes, folder: Path) -> None:
    mono = form(1, 16_000, 16)
    data = part(b"data", bare)
    made = {
        "size0.wav": riff(mono, b"data" + bytes(4) + bare),
        "trailing.wav": riff(mono, data, part(b"LIST", bytes(2 << 20))),
        "bext.wav": riff(
            part(b"JUNK", bytes(29)),
            part(b"bext", bytes(603)),
            mono,
            part(b"LIST", b"INFOINAM\5\0\0\0talk\0\0"),
            data,
        ),
        "extensible7.wav": riff(
            form(7, 16_000, 24, extensible=True),
            part(b"data", packed24(np.repeat(samples, 7))),
        ),
    }
    # An odd number of bytes, the pad behind them, and a list that must not be heard.
    eight = (np.append(samples, 0.0) * 127 + 128).astype(np.uint8).tobytes()
    eight = eight[: len(eight) // 2 * 2 - 1]
    titles = part(b"LIST", b"\xff" * 64_000)
    made["odd.wav"] = riff(form(1, 16_000, 8), part(b"data", eight), titles)
    for name, content in made.items():
        (folder / name).write_bytes(content)


def _make_channels(samples: FloatArray, clip: Path, folder: Path) -> None:
    made: dict[str, tuple[FloatArray, str]] = {
        "left_only.wav": (np.stack([samples, 0 * samples], axis=1), "PCM_16"),
        "ten.wav": (np.stack([samples] * 10, axis=1), "PCM_16"),
        "offset.wav": (0.8 * samples + 0.1, "FLOAT"),
    }
    for name, (content, subtype) in made.items():
        soundfile.write(folder / name, content, 16_000, subtype)
    sox(clip, "-r", 192_000, folder / "192k.wav", "gain", -1)


def _make_videos(clip: Path, folder: Path) -> None:
    video = "-f lavfi -i color=size=32x32:rate=5:duration=6 -map 1:v -map 0:a"
    second = f"-i {folder / 'alaw8k.wav'} -map 0:a -map 1:a"
    for name, options in {
        "video.mp4": f"{video} -c:v mpeg4 -c:a aac",
        "video.mkv": f"{video} -c:v mpeg4 -c:a libvorbis",
        "video.webm": f"{video} -c:v libvpx -c:a libopus",
        "video.ts": f"{video} -c:v mpeg2video -r 25 -c:a aac",
        "two.mkv": f"{second} -c:a flac",
    }.items():
        ffmpeg(clip, options, folder / name)


MPEG_OGG_FLAC = ("sox44.mp3", "noxing.mp3", "x.flac", "x.ogg")


JOINED = ("x.m4a", "x.wma", "x.caf", "pcm.caf", "x.au")
"""Of two of these in a file, readers read one."""


def make_damaged(whole: Path, folder: Path) -> None:
    """Recordings of which a part is gone, from whole ones."""
    folder.mkdir(parents=True)
    clip = bytearray((whole / "clip.wav").read_bytes())
    clip[40:44] = struct.pack("<I", len(clip))
    (folder / "promises44more.wav").write_bytes(clip)
    for name in (*MPEG_OGG_FLAC, "clip.wav", "x.webm", "begin.m4a"):
        content = (whole / name).read_bytes()
        (folder / f"cut.{name}").write_bytes(content[: len(content) // 2])
    for name in (*MPEG_OGG_FLAC, "x.webm", "x.aac", "video.ts", "begin.m4a"):
        # What a file system leaves after a crash.
        content = (whole / name).read_bytes()
        half = len(content) // 2
        zeros = bytes(len(content) - half)
        (folder / f"zeros.{name}").write_bytes(content[:half] + zeros)
    for name in JOINED:
        content = (whole / name).read_bytes()
        (folder / f"joined.{name}").write_bytes(content + content)
    more = riff(
        form(1, 16_000, 16), part(b"data", bytes(clip[44:96_044])), bytes(clip[96_044:])
    )
    (folder / "unfinished.wav").write_bytes(more)
    piped = (whole / "piped.flac").read_bytes()
    (folder / "zeros.piped.flac").write_bytes(piped[:60_000] + bytes(60_000))
    samples, rate = soundfile.read(whole / "clip.wav", dtype="float32")
    samples[50_000] = np.nan
    soundfile.write(folder / "nan.wav", samples, rate, "FLOAT")
    one_bad = np.stack([samples, np.nan_to_num(samples)], axis=1)
    one_bad[:48_000, 0] = np.nan
    soundfile.write(folder / "one_nan.wav", one_bad, rate, "FLOAT")


def make_refused(whole: Path, folder: Path) -> None:
    """What is called a recording and is none, or holds no sound."""
    folder.mkdir(parents=True)
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    secret = whole / "clip.wav"
    made = {
        "page.wav": b"<!DOCTYPE html><html><body>404</body></html>",
        "pointer.wav": lfs,
        "list.m3u8": f"#EXTM3U\n#EXTINF:6,\n{secret}\n".encode(),
        "list.m4a": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
        "zip.wav": b"PK\3\4" + bytes(200),
        "gz.wav": b"\x1f\x8b\x08" + bytes(200),
        "pdf.wav": b"%PDF-1.7\n" + bytes(200),
        "png.wav": png(),
        "empty.wav": b"",
        "one.wav": b"R",
        "zeros.wav": bytes(50_000),
        "zeros.mp3": bytes(50_000),
    }
    for name in ("clip.wav", "x.flac", "x.ogg", "low.mp3", "x.m4a", "x.webm", "x.wma"):
        made[f"twelve.{name}"] = (whole / name).read_bytes()[:12]
    for name, content in made.items():
        (folder / name).write_bytes(content)
    sox(whole / "clip.wav", "-r", 8000, "-e", "a-law", "-t", "raw", folder / "x.alaw")
    (folder / "x.raw").write_bytes((folder / "x.alaw").read_bytes())
    ffmpeg(whole / "video.mp4", "-an -c:v copy", folder / "no-sound.mp4")
