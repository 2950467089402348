"""What is cut or damaged gives what is there, and says where it stopped and why."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.errors import SourceError
from ser_stream.sources.decoders.flac_frames import ends_whole
from tests.helpers.damaged_recordings import damaged
from tests.helpers.made_once import MadeOnce
from tests.helpers.made_recordings import make_all, missing_tool
from tests.helpers.paths import DATA
from tests.helpers.read_recordings import hear_file, hear_pipe

pytestmark = pytest.mark.skipif(
    missing_tool() is not None, reason="needs ffmpeg and sox to make recordings"
)


@pytest.fixture(scope="module")
def made(once: MadeOnce) -> Path:
    """Twelve seconds, so that even Ogg has several pages."""

    def make(folder: Path) -> None:
        long = folder.with_name("long.flac")
        samples, rate = soundfile.read(DATA / "emodb_minute.flac", frames=12 * 16_000)
        soundfile.write(long, samples, rate)
        make_all(long, folder)

    return once("long-containers", make)


CUT = [
    *("pcm16.wav", "alaw.wav", "long.rf64", "native.flac", "vorbis.ogg", "opus.opus"),
    *("cbr.mp3", "vbr.mp3", "layer2.mp2", "pcm.aiff", "mulaw.au", "pcm.caf", "pcm.w64"),
    *("sphere.sph", "opus.webm", "adts.aac", "flac.mka", "aac.mp4", "speex.spx"),
    *("aac.flv", "pcm.voc", "u8.voc", "pcm.avr", "pcm.8svx", "pcm.mat5", "alaw.wve"),
]


@pytest.mark.parametrize("name", CUT)
def test_a_recording_that_is_cut_gives_its_first_half_and_says_so(
    name: str, made: Path, tmp_path: Path
) -> None:
    whole = hear_file(made / name)
    content = (made / name).read_bytes()
    cut = tmp_path / name
    # An odd place, in the middle of a frame or page.
    cut.write_bytes(content[: len(content) * 6 // 10 + 1])
    heard = hear_file(cut)
    assert heard.damage is not None
    assert 0.2 * whole.seconds < heard.seconds < 0.85 * whole.seconds
    n = min(len(heard.samples), len(whole.samples)) // 2
    assert np.allclose(heard.samples[:n], whole.samples[:n], atol=1e-4)
    piped = hear_pipe(cut.read_bytes())
    assert piped.damage is not None
    assert np.array_equal(piped.samples, heard.samples)


def test_a_caf_whose_packet_table_is_cut_off_is_refused_by_name(
    made: Path, tmp_path: Path
) -> None:
    content = (made / "alac.caf").read_bytes()
    cut = tmp_path / "alac.caf"
    cut.write_bytes(content[: len(content) * 6 // 10 + 1])
    with pytest.raises(SourceError, match=r"alac\.caf is CAF that ffmpeg cannot read"):
        hear_file(cut)


def test_a_rate_that_cannot_be_is_refused_while_ffmpeg_goes_on_writing(
    made: Path, tmp_path: Path
) -> None:
    content = bytearray((made / "pcm.voc").read_bytes())
    content[30:34] = (2_000_000_000).to_bytes(4, "little")
    path = tmp_path / "pcm.voc"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"pcm\.voc .* 1000 to 768000"):
        hear_file(path)


@pytest.mark.parametrize("name", ["vorbis.ogg", "opus.opus", "cbr.mp3", "native.flac"])
def test_a_hole_in_the_middle_is_damage(name: str, made: Path, tmp_path: Path) -> None:
    content = (made / name).read_bytes()
    middle = len(content) // 2
    torn = tmp_path / name
    torn.write_bytes(content[:middle] + content[middle + 9001 :])
    heard = hear_file(torn)
    assert heard.damage is not None
    assert heard.seconds > 2.0


def test_a_flac_without_a_length_that_is_cut_inside_a_frame_is_cut(
    made: Path, tmp_path: Path
) -> None:
    content = bytearray((made / "native.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path = tmp_path / "piped.flac"
    path.write_bytes(content)
    whole = hear_file(path)
    assert whole.damage is None
    path.write_bytes(content[: len(content) - 500])
    heard = hear_file(path)
    assert heard.damage is not None
    assert heard.damage.reason == "it ends inside a frame"
    assert len(heard.samples) < len(whole.samples)


def test_only_the_end_of_a_whole_frame_is_one(made: Path) -> None:
    content = (made / "native.flac").read_bytes()
    assert ends_whole(content[-65_536:])
    for less in (1, 2, 17, 900):
        assert not ends_whole(content[:-less][-65_536:])


def n_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_damaged_recordings_give_samples_or_one_clear_line(
    made: Path, tmp_path: Path
) -> None:
    good = [(path.name, path.read_bytes()) for path in sorted(made.iterdir())]
    open_before = n_open()
    refusals = []
    for name, content in damaged(good, 40, seed=2022):
        path = tmp_path / name
        path.write_bytes(content)
        try:
            heard = hear_file(path)
        except SourceError as error:
            refusals.append((str(path), str(error)))
        else:
            assert np.abs(heard.samples).max(initial=0.0) < 1.2
    assert 0 < len(refusals) < 30
    for name, text in refusals:
        assert name in text
        assert "\n" not in text
    assert n_open() <= open_before


def test_a_flac_whose_header_promises_too_little_is_heard_to_its_end(
    made: Path, tmp_path: Path
) -> None:
    content = bytearray((made / "native.flac").read_bytes())
    promised = int.from_bytes(content[21:26], "big")
    total = promised & ((1 << 36) - 1)
    content[21:26] = (promised - total + total // 2).to_bytes(5, "big")
    path = tmp_path / "half.flac"
    path.write_bytes(content)
    whole = hear_file(made / "native.flac")
    assert np.array_equal(hear_file(path).samples, whole.samples)
