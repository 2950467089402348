"""A fault of ours that one recording meets is told, and costs no other."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from ser_stream.commands.archive.task import Job, Result, run
from ser_stream.errors import ModelError
from ser_stream.model import runtime_config
from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.values import FloatArray
from ser_stream.sources.channels import EACH
from ser_stream.sources.decoders import opening
from ser_stream.sources.decoders.byte_stream import ByteStream
from ser_stream.sources.decoders.flac import FlacDecoder
from tests.helpers.paths import DATA

CLIPS = [str(path) for path in sorted(DATA.glob("[01]*.flac"))[:3]]


class Faulty(FlacDecoder):
    """Meets something in a file of this name that nobody thought of."""

    error: type[Exception] = ValueError

    def __init__(self, stream: ByteStream) -> None:
        super().__init__(stream)
        self._faulty = "faulty" in stream.name

    def read(self, n: int, /) -> FloatArray:
        if self._faulty:
            raise self.error("Exceeds the limit\nof digits")
        return super().read(n)


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(opening, "FlacDecoder", Faulty)
    path = tmp_path / "faulty.flac"
    path.symlink_to(CLIPS[0])
    return str(path)


def job() -> Job:
    bundle = load_bundle("open")
    return Job(bundle.folder, runtime_config(bundle))


def is_told(result: Result) -> bool:
    (line, trace) = result.messages
    assert line[0] == logging.ERROR
    assert line[1].startswith(
        f"{result.name} is left out, by a fault of ser-stream: ValueError: Exceeds the "
        "limit of digits; please report it"
    )
    assert trace[0] == logging.DEBUG
    assert ", in read\n" in trace[1]
    return result.rows == () and not result.whole


def test_one_among_clips_that_are_read_together(faulty: str) -> None:
    alone = list(run(job(), CLIPS))
    names = [CLIPS[0], faulty, CLIPS[1], *[CLIPS[2]] * 20, faulty, CLIPS[0]]
    found = list(run(job(), names))
    assert [result.name for result in found] == names
    for result in found:
        if result.name == faulty:
            assert is_told(result)
            continue
        (row,), expected = result.rows, alone[CLIPS.index(result.name)].rows[0]
        assert row["label"] == expected["label"]
        assert row["confidence"] == pytest.approx(expected["confidence"], abs=2e-4)
        assert result.messages == ()


def test_one_whose_channels_are_recognised_apart(faulty: str) -> None:
    each = job()
    each = replace(each, wanted=replace(each.wanted, channel=EACH))
    first, second, third = run(each, [CLIPS[0], faulty, CLIPS[1]])
    assert is_told(second)
    assert first.whole
    assert third.whole


def test_what_is_wrong_with_all_of_them_ends_the_run(
    faulty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "error", ModelError)
    with pytest.raises(ModelError):
        list(run(job(), [CLIPS[0], faulty, CLIPS[1]]))
