"""What libsndfile does not know, an installed ffmpeg turns into WAV on a pipe."""

import contextlib
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ser_stream.errors import SourceError
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders import Damage
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.held_signals import held_signals
from ser_stream.sources.decoders.joined import joined
from ser_stream.sources.decoders.links import Splitter
from ser_stream.sources.decoders.promised import shortage
from ser_stream.sources.decoders.timeline import Timeline
from ser_stream.sources.decoders.wav import WavDecoder, read_header

_LOGGER = logging.getLogger(__name__)
PROGRAM = "ffmpeg"
CLOCKED = ("mov", "matroska", "mpegts", "mpeg", "flv")
"""Demuxers of containers with a clock that sound and picture share."""

_ERROR = re.compile(r"(?:\[[^]]* @ [^]]*\] )*\[(?:error|fatal|panic)\] (.*)")
_TRACK = re.compile(r"\[info\]   Stream #0:(\d+).*?: Audio: ")


class FfmpegDecoder:
    """See `Decoder`.

    ffmpeg opens nothing but what it is given: files and pipes, of the one container
    that the first bytes showed. It writes to a pipe, and ends when we do.
    """

    def __init__(
        self,
        stream: ByteStream,
        container: str,
        demuxer: str,
        splitter: Splitter | None = None,
    ) -> None:
        """Start it.

        Args:
            stream: of which only the beginning was looked at.
            container: what it is, for messages.
            demuxer: ffmpeg's name of it.
            splitter: looks at the bytes for damage that ffmpeg keeps silent about.

        Raises:
            SourceError: if ffmpeg is not installed, or finds no sound.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            name = Path(stream.name).name
            if stream.path is None or stream.path.name != name:
                name = "recording"
            given, made = map(shlex.quote, (name, f"{Path(name).stem}.flac"))
            raise SourceError(
                f"{stream.name} is {container}, which needs ffmpeg; install it (Debian "
                f"and Ubuntu: apt install ffmpeg), or convert it elsewhere: ffmpeg -i "
                f"{given} {made}"
            )
        self._stream = stream
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._splitter = splitter
        self._joins = demuxer in ("mov", "asf", "caf", "tta", "voc")
        path = stream.path if stream.regular and splitter is None else None
        # Of /dev/fd and the like a child has its own.
        self._source = "pipe:0" if path is None else f"file:{os.path.realpath(path)}"
        sound = ("-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32le")
        flush = ("-flush_packets", "1")
        command = [
            *(program, "-nostdin", "-hide_banner", "-nostats"),
            *("-loglevel", "level+info", "-protocol_whitelist", "file,pipe"),
            # A microsecond, or the clock of a transport stream whose sound begins late
            # would be set to begin with its sound.
            *("-itsoffset", "0.000001", "-f", demuxer, "-i", self._source),
        ]
        # Whatever comes until it is heard, Ctrl-C while it hangs too, ends it.
        with contextlib.ExitStack() as undo:
            undo.callback(self._said.close)
            timeline = Timeline() if demuxer in CLOCKED else None
            if timeline is not None:
                undo.callback(timeline.close)
                # Before the samples, which may fill their pipe, and wait for us.
                times = f"pipe:{timeline.writer}"
                command += [*sound, "-f", "framecrc", *flush, times]
            command += [*sound, "-f", "wav", *flush, "pipe:1"]
            with held_signals(signal.SIGINT, signal.SIGTERM):
                try:
                    self._process = subprocess.Popen(
                        command,
                        stdin=subprocess.PIPE if path is None else subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=self._said,
                        pass_fds=() if timeline is None else (timeline.writer,),
                    )
                except OSError as error:
                    raise SourceError(
                        f"{stream.name} is {container}, and {program} cannot be "
                        f"started: {error.strerror}; install ffmpeg anew"
                    ) from None
                undo.callback(self._close)
            if path is None:
                self._feeder = threading.Thread(target=self._feed, daemon=True)
                self._feeder.start()
            assert self._process.stdout is not None
            output = ByteStream(self._process.stdout.fileno(), stream.name)
            try:
                self._wav = WavDecoder(output, read_header(output))
            except SourceError:
                if output.position:
                    # It goes on writing what cannot be, as a rate of gigahertz.
                    raise
                raise self._refusal(container) from None
            self.rate, self.channels = self._wav.rate, self._wav.channels
            self.damage: Damage | None = None
            self._timeline = timeline
            self._position = self._silence = 0
            self._wav_fd = output.fd
            if timeline is not None:
                timeline.follow(self.rate, 4 * self.channels)
            self._tell_tracks()
            undo.pop_all()

    def _refusal(self, container: str) -> SourceError:
        """Why no sound came."""
        status = self._process.wait()
        said = self._complaint()
        name = self._stream.name
        if "matches no streams" in said or not (said or status):
            return SourceError(f"{name} is {container} without any sound in it")
        said = said or f"it ended with {status}"
        return SourceError(f"{name} is {container} that ffmpeg cannot read: {said}")

    def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        # ffmpeg may have heard enough before the end; the writer must not notice.
        with contextlib.suppress(SourceError):
            broken = False
            for data in self._pieces():
                try:
                    if not broken:
                        stdin.write(data)
                        stdin.flush()
                except OSError:
                    broken = True
        with contextlib.suppress(OSError):
            stdin.close()

    def _pieces(self) -> Iterator[bytes]:
        if self._splitter is None:
            yield from iter(self._stream.read, b"")
            return
        for piece in self._splitter.pieces(self._stream):
            yield piece or b""

    def read(self, n: int, /) -> FloatArray:
        if self._timeline is not None:
            if not self._silence:
                self._silence, come = self._timeline.due(self._position, self._wav_fd)
                n = n if come is None else min(n, come)
            if self._silence:
                given = min(n, self._silence)
                self._silence -= given
                return np.zeros((given, self.channels), np.float32)
        frames = self._wav.read(n)
        self._position += len(frames)
        if not len(frames) and self.damage is None:
            self.damage = self._find_damage()
        return frames

    def _find_damage(self) -> Damage | None:
        """What is wrong with what was heard, once all of it was."""
        status = self._process.wait()
        said = self._complaint()
        path = Path(self._source.removeprefix("file:"))
        # First, as ffmpeg calls it damage where the cut is inside a sample.
        if self._joins and (missing := shortage(path)) is not None:
            return Damage("cut", missing)
        if said or status:
            return Damage("damaged", said or f"ffmpeg ended with {status}")
        if self._splitter is not None:
            self._feeder.join()
            return self._splitter.damage
        return joined(path) if self._joins else None

    def _complaint(self) -> str:
        """What ffmpeg said first, in one line without its addresses."""
        for line in self._lines():
            if (error := _ERROR.match(line)) is not None:
                said = error[1].removeprefix(f"{self._source}: ")
                if said.strip():
                    return said.strip().rstrip(".").lower()
        # Of what is no ffmpeg, or did not come to be one.
        bare = (line for line in self._lines() if line[:1] not in ("", "[", " "))
        said = next(bare, "") if self._process.returncode else ""
        return said.strip().rstrip(".").lower()

    def _tell_tracks(self) -> None:
        """Warn of tracks that nobody hears."""
        tracks = set()
        for line in self._lines():
            if (track := _TRACK.match(line)) is not None:
                tracks.add(track[1])
            elif line.startswith("[info] Stream mapping:"):
                break
        if len(tracks) > 1:
            name = Path(self._stream.name).name
            given, made = map(shlex.quote, (name, f"{Path(name).stem}-2.flac"))
            _LOGGER.warning(
                "%s has %d sound tracks, and only the first is heard; the second, as "
                "a file: ffmpeg -i %s -map 0:a:1 %s",
                self._stream.name,
                len(tracks),
                given,
                made,
            )

    def _lines(self) -> Iterator[str]:
        """What ffmpeg said so far, without moving the place where it writes."""
        said = os.pread(self._said.fileno(), 1 << 20, 0)
        yield from said.decode(errors="replace").splitlines()

    def next_recording(self) -> bool:
        return False

    def close(self) -> None:
        self._close()
        if self._timeline is not None:
            self._timeline.close()

    def _close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()
        self._stream.close()


def installed() -> bool:
    """Whether there is an ffmpeg on the path."""
    return shutil.which(PROGRAM, path=os.environ.get("PATH")) is not None
