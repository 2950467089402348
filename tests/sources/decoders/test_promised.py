"""What headers promise is what their writers mean: no whole file is called cut."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.decoders.promised import shortage
from tests.helpers.made_recordings import missing_tool
from tests.helpers.read_recordings import hear_file
from tests.helpers.users_recordings import sox

PROMISING = {
    "AVR": ("PCM_S8", "PCM_U8", "PCM_16"),
    "SVX": ("PCM_S8", "PCM_16"),
    "MAT5": ("PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE"),
    "VOC": ("PCM_16", "ALAW", "ULAW"),
    "WVE": ("ALAW",),
    "NIST": ("PCM_S8", "PCM_16", "PCM_24", "ALAW", "ULAW"),
}
SILENT = ("PAF", "IRCAM", "PVF")
MONO = ("SVX", "WVE")


def noise(n: int, channels: int = 1) -> FloatArray:
    """Values of few bits, which may look like the names of blocks."""
    drawn = np.random.default_rng(n).integers(-9, 10, (n, channels))
    result: FloatArray = (drawn / 32768).astype(np.float32)
    return result


def reason_of(path: Path) -> str | None:
    damage = hear_file(path).damage
    return None if damage is None else damage.reason


@pytest.mark.parametrize(
    ("kind", "coding"),
    [(kind, coding) for kind, codings in PROMISING.items() for coding in codings],
)
def test_a_file_is_cut_if_a_few_samples_of_any_number_are_missing(
    kind: str, coding: str, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    for n in (2999, 3000, 3001):
        for channels in (1,) if kind in MONO else (1, 2):
            samples = noise(n, channels)
            soundfile.write(path, samples, 8000, coding, format=kind)
            content = path.read_bytes()
            named = path.with_suffix(f".{kind.lower()}")
            named.write_bytes(content)
            assert reason_of(named) is None
            named.write_bytes(content[:-100])
            assert "its header promises" in (reason_of(named) or "")


@pytest.mark.parametrize("kind", SILENT)
def test_of_a_file_that_promises_nothing_what_is_there_is_heard(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.snd"
    soundfile.write(path, noise(3000), 8000, "PCM_16", format=kind)
    path.write_bytes(path.read_bytes()[:-100])
    assert reason_of(path) is None


@pytest.mark.parametrize("kind", [*PROMISING, "CAF"])
def test_a_header_that_is_cut_itself_promises_nothing(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    soundfile.write(path, noise(100), 8000, format=kind, subtype=_any_of(kind))
    content = path.read_bytes()
    for size in range(0, 140, 3):
        path.write_bytes(content[:size])
        said = shortage(path)
        assert said is None or f"and {size} are there" in said


def _any_of(kind: str) -> str:
    return PROMISING.get(kind, ("PCM_16",))[0]


@pytest.mark.skipif(missing_tool() is not None, reason="needs sox to make recordings")
@pytest.mark.parametrize("seed", range(20))
def test_the_length_that_sox_gives_a_voc_is_no_cut(seed: int, tmp_path: Path) -> None:
    # Eight bytes before the end stands what may look like another block.
    soundfile.write(tmp_path / "x.wav", noise(2000 + seed), 8000, "PCM_16")
    sox(tmp_path / "x.wav", tmp_path / "x.voc")
    content = (tmp_path / "x.voc").read_bytes()
    block = int.from_bytes(content[27:30], "little")
    assert 30 + block < len(content) - 1
    assert shortage(tmp_path / "x.voc") is None


@pytest.mark.parametrize("seed", range(20))
def test_a_voc_that_is_longer_than_its_length_can_say_is_no_cut(
    seed: int, tmp_path: Path
) -> None:
    # 24 bits of its true length; in the middle of the sound another block may seem.
    path = tmp_path / "x.voc"
    sound = (noise(5000 + seed) * 32768).astype("<i2").tobytes()
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
    body = struct.pack("<IBBHI", 8000, 16, 1, 4, 0)
    path.write_bytes(head + b"\x09" + (4000).to_bytes(3, "little") + body + sound)
    assert shortage(path) is None


def test_libsndfile_writes_such_a_voc(tmp_path: Path) -> None:
    path = tmp_path / "x.voc"
    soundfile.write(path, np.zeros(1 << 23, np.int16), 8000, "PCM_16")
    head = path.read_bytes()[:30]
    assert int.from_bytes(head[27:30], "little") < 1000
    assert shortage(path) is None


@pytest.mark.parametrize(
    "field", [b"sample_count -i " + b"1" * 5000, b"sample_count -i 99999"]
)
@pytest.mark.parametrize("behind", ["end_head", "the header"])
def test_samples_that_look_like_a_field_of_nist_sphere_promise_nothing(
    field: bytes, behind: str, tmp_path: Path
) -> None:
    head = (
        b"NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i 16000\n"
        b"sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_coding -s3 pcm\n"
        b"end_head\n"
    )
    path = tmp_path / "x.sph"
    if behind == "the header":
        head = head.ljust(1024)
    path.write_bytes((head + b"\n" + field + b"\n").ljust(1024) + b"\1\2" * 16_000)
    assert shortage(path) is None
    assert reason_of(path) is None


def test_numbers_of_nist_sphere_that_cannot_be_promise_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.sph"

    def promised(length: bytes, count: bytes) -> str | None:
        head = b"NIST_1A\n   %s\nchannel_count -i 1\nsample_n_bytes -i 2\n" % length
        head += b"sample_count -i %s\nend_head\n" % count
        path.write_bytes(head.ljust(8192) + bytes(32_000))
        return shortage(path)

    assert "promises 40194 bytes, and 40192 are" in (promised(b"8192", b"16001") or "")
    assert promised(b"8192", b"1" * 5000) is None
    assert promised(b"1" * 5000, b"16001") is None
    # The field stands behind what it says is its end.
    assert promised(b"16", b"16001") is None


def test_a_voc_of_more_blocks_than_are_walked_through_promises_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.voc"
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x0114, 0x111F)
    cut = b"\x01" + (4000).to_bytes(3, "little")
    path.write_bytes(head + b"\x03\0\0\0" * 10 + cut)
    assert shortage(path) is not None
    path.write_bytes(head + b"\x03\0\0\0" * 1_000_000 + cut)
    assert shortage(path) is None
