"""One clip in every container and codec that ffmpeg and sox can write."""

import shutil
import subprocess
from pathlib import Path

TOOLS = ("ffmpeg", "sox")
WITH_FFMPEG = {
    "pcm16.wav": "-c:a pcm_s16le",
    "pcm24.wav": "-c:a pcm_s24le",
    "float.wav": "-c:a pcm_f32le",
    "u8.wav": "-c:a pcm_u8",
    "alaw.wav": "-c:a pcm_alaw",
    "mulaw.wav": "-c:a pcm_mulaw",
    "ms_adpcm.wav": "-c:a adpcm_ms",
    "ima_adpcm.wav": "-c:a adpcm_ima_wav",
    "mp3_in.wav": "-c:a libmp3lame",
    "long.rf64": "-rf64 always -f wav",
    "pcm.w64": "",
    "pcm.aiff": "",
    "mulaw.au": "-c:a pcm_mulaw",
    "pcm.caf": "-c:a pcm_s16be",
    "alac.caf": "-c:a alac",
    "pcm.voc": "",
    "u8.voc": "-c:a pcm_u8",
    "native.flac": "",
    "vorbis.ogg": "-c:a libvorbis",
    "opus.opus": "-c:a libopus",
    "flac.oga": "-c:a flac",
    "speex.spx": "-c:a libspeex",
    "cbr.mp3": "-c:a libmp3lame -b:a 64k",
    "vbr.mp3": "-c:a libmp3lame -q:a 4",
    "layer2.mp2": "-c:a mp2 -b:a 96k",
    "aac.m4a": "-c:a aac",
    "alac.m4a": "-c:a alac",
    "aac.mp4": "-c:a aac -movflags faststart",
    "pcm.mov": "-c:a pcm_s16le",
    "aac.3gp": "-c:a aac",
    "opus.webm": "-c:a libopus",
    "vorbis.webm": "-c:a libvorbis",
    "flac.mka": "-c:a flac",
    "aac.mkv": "-c:a aac",
    "adts.aac": "-c:a aac",
    "wma.wma": "-c:a wmav2",
    "mp3.avi": "-c:a libmp3lame",
    "aac.flv": "-c:a aac",
    "aac.ts": "-c:a aac",
    "mp2.mpg": "-c:a mp2 -f mpeg",
    "pure.wv": "",
    "pure.tta": "",
    "dolby.ac3": "-c:a ac3 -ar 32000",
}
"""Name of the file -> what ffmpeg is told."""
WITH_SOX = {
    "sphere.sph": "",
    "gsm.wav": "-e gsm-full-rate",
    "pcm.paf": "-t paf",
    "pcm.avr": "",
    "pcm.8svx": "",
    "pcm.mat5": "",
    "pcm.pvf": "",
    "pcm.ircam": "",
    "alaw.wve": "-r 8000",
}
LOSSY_DELAY = 0.15
"""Seconds that encoders put around the sound."""


def missing_tool() -> str | None:
    """A program that is needed and not installed, if any."""
    return next((tool for tool in TOOLS if shutil.which(tool) is None), None)


def make_all(clip: Path, folder: Path) -> None:
    """Write the clip in every form; those that these programs cannot are left out."""
    folder.mkdir()
    for name, options in WITH_FFMPEG.items():
        _try(
            "ffmpeg",
            *["-v", "error", "-nostdin", "-i"],
            clip,
            *options.split(),
            folder / name,
        )
    for name, options in WITH_SOX.items():
        _try("sox", clip, *options.split(), folder / name)


def _try(*command: str | Path) -> None:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, check=False
    )
    made = Path(command[-1])
    if done.returncode and made.exists():
        made.unlink()
