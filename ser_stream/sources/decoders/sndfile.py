"""Files that libsndfile reads and has to seek in: AIFF, AU, CAF, W64, ADPCM, ..."""

import re

import numpy as np
import soundfile

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage, wrong_form
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.chatter import quiet
from ser_stream.sources.decoders.joined import joined
from ser_stream.sources.decoders.promised import NO_LENGTH, shortage

RAW_HINT = (
    "samples without a header need --raw, with --rate, --channels and --encoding where "
    "they are not 16000, 1 and s16"
)


class Unseekable(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward: soundfile seeks after each read."""

    def seekable(self) -> bool:
        return False


class SndfileDecoder:
    """See `Decoder`."""

    def __init__(self, stream: ByteStream) -> None:
        """Open a regular file; the stream is closed with it.

        Raises:
            SourceError: if it is no audio, or holds none.
        """
        self.damage: Damage | None = None
        self._stream = stream
        name, path = stream.name, stream.path
        assert path is not None
        try:
            # As bytes: a name need not be UTF-8.
            with quiet():
                self._file = Unseekable(bytes(path))
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            # TypeError: soundfile asks for rate and channels of a file named .raw.
            raise SourceError(
                f"{name} is not audio: {reason(error)}; {RAW_HINT}"
            ) from None
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self._heard = 0
        self._missing = shortage(path) or _missing_bytes(
            self._file.extra_info, stream.size or 0
        )
        wrong = wrong_form(self.rate, self.channels)
        if self._file.frames == 0:
            wrong = "holds no samples: empty or cut short"
        if wrong is not None:
            self._file.close()
            raise SourceError(f"{name} {wrong}")

    def read(self, n: int, /) -> FloatArray:
        frames: FloatArray = np.zeros((0, self.channels), np.float32)
        try:
            with quiet():
                frames = self._file.read(n, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            self.damage = Damage("damaged", reason(error))
        self._heard += len(frames)
        if self._stream.size and self._file.frames:
            # The library reads by itself; how far it is, users want to know.
            share = min(1.0, self._heard / self._file.frames)
            self._stream.position = round(share * self._stream.size)
        if not len(frames) and self.damage is None:
            self._note_damage()
        return frames

    def _note_damage(self) -> None:
        promised = self._file.frames
        # Some formats do not know their length; libsndfile then says a giant one.
        known = promised < 1 << 40
        # What an encoder of MPEG puts around the sound is promised, and taken off.
        around = 4 * 1152 if "MPEG" in self._file.subtype else 0
        if self._missing is not None:
            self.damage = Damage("cut", self._missing)
        elif known and self._heard + around < promised:
            reason = f"its header promises {promised / self.rate:.2f} s"
            self.damage = Damage("cut", reason)
        elif self._file.format in ("AU", "CAF") and self._stream.path is not None:
            self.damage = joined(self._stream.path)

    @property
    def is_mpeg(self) -> bool:
        """Whether libsndfile took it for MP3, of whose length it has a guess."""
        return bool(self._file.format == "MP3")

    def next_recording(self) -> bool:
        return False

    def close_file(self) -> None:
        """Close it alone: another decoder reads the stream."""
        self._file.close()

    def close(self) -> None:
        self.close_file()
        self._stream.close()


def reason(error: Exception) -> str:
    """What libsndfile says, in one line; it repeats the path, which we have said."""
    text = getattr(error, "error_string", None) or str(error)
    text = str(text).strip().splitlines()[0] if str(text).strip() else "no reason given"
    if "file does not exist" in text.lower():
        # Of what is called .mp3, and there, but holds not one frame.
        return "format not recognised"
    return text.rstrip(".").lower().removeprefix("error : ")


def _missing_bytes(log: str, size: int) -> str | None:
    """What a header promises beyond what is there, as libsndfile's log has it."""
    for match in re.finditer(
        r"^ *(?:data|SSND|BODY|Data Size) *: (\d{1,18})\b"
        r"(?: \(should be (\d{1,18})\))?",
        log,
        re.M,
    ):
        promised, there = int(match[1]), int(match[2] or size)
        if there < promised < NO_LENGTH:
            return f"its header promises {promised} bytes of sound; {there} are there"
    return None
