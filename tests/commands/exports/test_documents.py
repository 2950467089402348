"""Documents of segments open in the programs' own readers, whatever the names are."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import webvtt
from praatio import textgrid
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pympi import Eaf, TextGrid

import ser_stream
from ser_stream.commands.exports import DOCUMENTS, require, write_document
from ser_stream.errors import MissingLibraryError, SinkError
from tests.helpers.paths import MINUTE

Row = dict[str, Any]
Spans = list[tuple[float, float, str]]
"""Seconds, and what is written there."""
NAME = "a\nb --> c\t\"d' \x01\udcff<&>]]> \u2028%20#$.wav"
LABEL = "an\ngry --> <b>&\"'\t\udcff\x00{\\an8}"


@pytest.fixture(scope="module")
def row() -> Row:
    result = ser_stream.load("open").recognize(MINUTE)
    return {"file": str(MINUTE), **result.to_dict(segments=True)}


def made(segments: list[tuple[float, float, str]], **more: Any) -> Row:
    found = [
        {"label": label, "start_ms": start, "end_ms": end, "confidence": 0.5}
        for start, end, label in segments
    ]
    return {"file": "talk.wav", "duration_s": 9.0, "segments": found, **more}


def captions(found: webvtt.WebVTT) -> Spans:
    return [
        (
            caption.start_time.in_milliseconds() / 1000,
            caption.end_time.in_milliseconds() / 1000,
            caption.text,
        )
        for caption in found.captions
    ]


def read_srt(path: Path) -> Spans:
    # Without cues there is nothing in it, which webvtt takes for a mistake.
    return captions(webvtt.from_srt(str(path))) if path.stat().st_size else []


def read_vtt(path: Path) -> Spans:
    return captions(webvtt.read(str(path)))


def read_audacity(path: Path) -> Spans:
    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    found = [line.split("\t") for line in lines]
    return [(float(start), float(end), text) for start, end, text in found]


def read_praatio(path: Path) -> Spans:
    grid = textgrid.openTextgrid(str(path), False, reportingMode="error")
    return [tuple(entry) for entry in grid.getTier(grid.tierNames[0]).entries]


def read_pympi_grid(path: Path) -> Spans:
    tier = next(iter(TextGrid(str(path)).get_tiers()))
    return [entry for entry in tier.get_all_intervals() if entry[2]]


def annotations(path: Path) -> dict[str, Annotation]:
    found: dict[str, Annotation] = load_rttm(str(path))  # type: ignore[no-untyped-call]
    return found


def read_rttm(path: Path) -> Spans:
    found = annotations(path) if path.stat().st_size else {}
    return [
        (segment.start, segment.end, label)
        for annotation in found.values()
        for segment, _, label in annotation.itertracks(yield_label=True)
    ]


def read_eaf(path: Path) -> Spans:
    document = Eaf(str(path))
    tier = document.get_annotation_data_for_tier(next(iter(document.tiers)))
    return sorted((start / 1000, end / 1000, text) for start, end, text in tier)


READERS: list[tuple[str, Callable[[Path], Spans]]] = [
    ("srt", read_srt),
    ("vtt", read_vtt),
    ("audacity", read_audacity),
    ("textgrid", read_praatio),
    ("textgrid", read_pympi_grid),
    ("rttm", read_rttm),
    ("eaf", read_eaf),
]
every_reader = pytest.mark.parametrize(("format", "read"), READERS)


def opened(
    folder: Path, format: str, read: Callable[[Path], Spans], *rows: Row
) -> Spans:
    path = folder / f"talk{DOCUMENTS[format].suffix}"
    write_document(path, format, rows)
    return read(path)


@every_reader
def test_a_reader_finds_the_emotions_of_the_minute(
    format: str, read: Callable[[Path], Spans], row: Row, tmp_path: Path
) -> None:
    found = opened(tmp_path, format, read, row)
    assert len(found) == len(row["segments"]) > 10
    confidence = format in ("srt", "vtt", "audacity")
    for (start, end, text), segment in zip(found, row["segments"], strict=True):
        # Half a millisecond is rounded.
        assert start == pytest.approx(segment["start_ms"] / 1000, abs=6e-4)
        assert end == pytest.approx(segment["end_ms"] / 1000, abs=1.1e-3)
        label = segment["label"]
        assert text == (f"{label} {segment['confidence']:.2f}" if confidence else label)


def test_every_document_is_read_back_by_a_test() -> None:
    assert {format for format, _ in READERS} == set(DOCUMENTS)


@every_reader
def test_names_break_no_document(
    format: str, read: Callable[[Path], Spans], tmp_path: Path
) -> None:
    row = made([(0, 1000, LABEL), (1000, 2000, "calm")], file=NAME)
    found = opened(tmp_path, format, read, row)
    assert [(start, end) for start, end, _ in found] == [(0, 1), (1, 2)]
    assert "gry" in found[0][2]
    assert found[1][2].startswith("calm")


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("srt", r'a -> <i>&"{\an8} 0.50'),
        ("vtt", r'a -&gt; &lt;i&gt;&amp;"{\an8} 0.50'),
    ],
)
def test_a_label_is_text_in_a_subtitle(format: str, text: str) -> None:
    """Players take arrows for times, and tags for tags."""
    rows = [made([(0, 1000, r'a --> <i>&"{\an8}')])]
    lines = DOCUMENTS[format].render(rows).splitlines()
    assert text in lines
    assert sum("-->" in line for line in lines) == 1


def test_quotes_do_not_join_lines_of_an_rttm(tmp_path: Path) -> None:
    row = made([(0, 1000, '"a'), (1000, 2000, 'b"')], file='"x.wav')
    assert opened(tmp_path, "rttm", read_rttm, row) == [(0, 1, "_a"), (1, 2, "b_")]


@every_reader
def test_without_emotions_a_document_is_empty_and_valid(
    format: str, read: Callable[[Path], Spans], tmp_path: Path
) -> None:
    assert opened(tmp_path, format, read, made([])) == []
    assert opened(tmp_path, format, read, made([], duration_s=0.0)) == []


@every_reader
def test_what_overlaps_or_has_no_length_breaks_no_document(
    format: str, read: Callable[[Path], Spans], tmp_path: Path
) -> None:
    times = [(0, 3000), (2000, 4000), (4000, 4000), (5000, 5000.3), (5000, 6000)]
    row = made([(start, end, "sad") for start, end in times])
    found = [(start, end) for start, end, _ in opened(tmp_path, format, read, row)]
    end = 2 if format in ("textgrid", "eaf") else 3
    assert found == [(0, end), (2, 4), (5, 6)]


@every_reader
def test_thousands_of_emotions_keep_their_order(
    format: str, read: Callable[[Path], Spans], tmp_path: Path
) -> None:
    times = [(1000 * n + 137, 1000 * n + 990) for n in range(3000)]
    row = made([(*time, "sad") for time in times], duration_s=3000.0)
    found = opened(tmp_path, format, read, row)
    for (start, end, _), (start_ms, end_ms) in zip(found, times, strict=True):
        assert (start, end) == pytest.approx((start_ms / 1000, end_ms / 1000))


def test_tiers_of_a_textgrid_cover_the_recording(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "talk.TextGrid"
    write_document(path, "textgrid", [row])
    grid = textgrid.openTextgrid(str(path), True, reportingMode="error")
    assert grid.tierNames == ("emotion", "confidence")
    for name in grid.tierNames:
        entries = grid.getTier(name).entries
        assert entries[0].start == 0
        assert entries[-1].end == row["duration_s"]
        assert [e.end for e in entries[:-1]] == [e.start for e in entries[1:]]
    said = [e.label for e in grid.getTier("confidence").entries if e.label]
    assert said == [f"{s['confidence']:.2f}" for s in row["segments"]]


@every_reader
def test_an_emotion_of_an_unknown_speaker_breaks_no_document(
    format: str, read: Callable[[Path], Spans], tmp_path: Path
) -> None:
    row = made([(0, 1000, "sad"), (1000, 2000, "calm")], speakers=[3])
    row["segments"][0]["speaker"], row["segments"][1]["speaker"] = None, 3
    found = opened(tmp_path, format, read, row)
    texts = {
        "rttm": ["unknown", "3"],
        "textgrid": ["sad", "calm"],
        "eaf": ["sad", "calm"],
    }
    assert [text for _, _, text in found] == texts.get(
        format, ["sad 0.50", "3: calm 0.50"]
    )
    path = tmp_path / f"talk{DOCUMENTS[format].suffix}"
    if format == "textgrid":
        grid = textgrid.openTextgrid(str(path), True, reportingMode="error")
        assert [e.label for e in grid.getTier("speaker").entries] == ["", "3", ""]
    if format == "eaf":
        tier = Eaf(str(path)).get_annotation_data_for_tier("speaker")
        assert tier == [(1000, 2000, "3")]


def test_of_channels_an_unknown_speaker_is_still_nobody_in_rttm() -> None:
    rows = [
        made([(0, 1000, "sad"), (1000, 2000, "calm")], speakers=[3], channel=n)
        for n in (1, 2)
    ]
    for row in rows:
        row["segments"][0]["speaker"], row["segments"][1]["speaker"] = None, 3
    lines = "".join(DOCUMENTS["rttm"].render([row]) for row in rows).splitlines()
    names = [line.split()[7] for line in lines]
    assert names == ["unknown", "1_3", "unknown", "2_3"]


def test_elan_finds_the_recording_and_the_confidence(tmp_path: Path) -> None:
    path = tmp_path / "talk.eaf"
    write_document(path, "eaf", [made([(0, 900, "sad")], file="/a b/talk é.WAV")])
    document = Eaf(str(path))
    assert list(document.tiers) == ["emotion", "confidence"]
    assert document.get_annotation_data_for_tier("confidence") == [(0, 900, "0.50")]
    assert document.header["TIME_UNITS"] == "milliseconds"
    (media,) = document.media_descriptors
    assert media["MEDIA_URL"] == "file:///a b/talk é.WAV"
    assert media["RELATIVE_MEDIA_URL"] == "./talk é.WAV"
    assert media["MIME_TYPE"] == "audio/x-wav"


def test_pyannote_writes_the_same_lines() -> None:
    row = made([(500, 1750, "sad"), (2000, 3000, "angry")])
    annotation = Annotation(uri="talk")
    annotation[Segment(0.5, 1.75)] = "sad"
    annotation[Segment(2, 3)] = "angry"
    assert DOCUMENTS["rttm"].render([row]) == annotation.to_rttm()


def test_rttm_of_several_recordings_may_be_joined(tmp_path: Path) -> None:
    path = tmp_path / "all.rttm"
    rows = [made([(0, 900, "sad")], file=f"/a/{name}.wav") for name in ("b c", "d")]
    path.write_text("".join(DOCUMENTS["rttm"].render([row]) for row in rows))
    assert sorted(annotations(path)) == ["b_c", "d"]


def test_channels_of_a_recording_share_a_document(tmp_path: Path) -> None:
    rows = [
        made([(0, 900, "sad"), (2000, 2900, "calm")], channel=1),
        made([(1000, 1900, "angry")], channel=2),
    ]
    lines = DOCUMENTS["rttm"].render(rows).splitlines()
    assert [line.split()[2] for line in lines] == ["1", "1", "2"]
    assert [line.split()[7] for line in lines] == ["sad", "calm", "angry"]
    names = [f"{x} channel {n}" for n in (1, 2) for x in ("emotion", "confidence")]
    write_document(tmp_path / "talk.eaf", "eaf", rows)
    document = Eaf(str(tmp_path / "talk.eaf"))
    assert list(document.tiers) == names
    assert len(document.media_descriptors) == 1
    write_document(tmp_path / "talk.TextGrid", "textgrid", rows)
    grid = textgrid.openTextgrid(str(tmp_path / "talk.TextGrid"), False)
    assert list(grid.tierNames) == names
    for format in ("srt", "vtt", "audacity"):
        read = dict(READERS)[format]
        assert [text for _, _, text in opened(tmp_path, format, read, *rows)] == [
            "sad 0.50 channel 1",
            "angry 0.50 channel 2",
            "calm 0.50 channel 1",
        ]


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_more_hours_than_subtitles_can_say_are_refused(format: str) -> None:
    with pytest.raises(SinkError, match=r"no more than 100 hours, and talk\.wav"):
        DOCUMENTS[format].render([made([(0, 360_000_000, "sad")])])


@pytest.mark.parametrize(
    ("format", "library"), [(n, d.module) for n, d in DOCUMENTS.items() if d.module]
)
def test_a_library_that_is_missing_is_named(
    format: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(format)
    for name in [x for x in sys.modules if x.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    message = rf'--format {format} needs .*pip install "ser-stream\[export\]"'
    with pytest.raises(MissingLibraryError, match=message):
        require(format)
    with pytest.raises(MissingLibraryError, match=message):
        DOCUMENTS[format].render([made([])])


def test_what_cannot_be_written_is_a_line_and_harms_nothing(tmp_path: Path) -> None:
    place = tmp_path / "talk.txt"
    place.mkdir()
    with pytest.raises(SinkError, match=r"talk.txt cannot be written: .*another place"):
        write_document(place, "audacity", [made([])])
    assert list(tmp_path.iterdir()) == [place]
