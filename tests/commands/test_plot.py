"""`ser-stream plot`: pictures and pages of what `recognize` says."""

import base64
import io
import json
import re
import signal
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
import soundfile
from matplotlib.colors import to_rgb

import ser_stream
from ser_stream.commands.colours import PALETTE, colours, ink
from ser_stream.commands.plot import plot
from ser_stream.commands.plot.clock import clock, parse_clock, tick_s
from ser_stream.commands.plot.envelope import LENGTH, Envelope
from ser_stream.commands.plot.figure import draw, picture
from ser_stream.commands.plot.heard import MOST_STEPS, Heard, hear
from ser_stream.commands.plot.page import page
from ser_stream.config import ListenConfig
from ser_stream.errors import ConfigError, MissingLibraryError
from ser_stream.model import Model
from ser_stream.pipeline.values import EmotionEvent, Phase
from tests.helpers.paths import DATA, MINUTE
from tests.helpers.program import error_line, run, start

CLIP = DATA / "03a01Wa.flac"
NAME = "a$x^$ <b>\"&' -->\n漢\udcff.flac"


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_stream.load("open")


@pytest.fixture(scope="module")
def minute(model: Model) -> Heard:
    return hear(MINUTE, model)


class Tags(HTMLParser):
    """What a page consists of; `texts` by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.tags[-1][0], data))


def test_each_ending_makes_a_file_of_its_kind(tmp_path: Path) -> None:
    for suffix in ("png", "SVG", "pdf", "html"):
        place = tmp_path / f"talk.{suffix}"
        done = run("plot", CLIP, "-o", place, "--dpi", "50")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    height, width, _ = matplotlib.image.imread(tmp_path / "talk.png").shape
    assert (width, height) == (600, 300)
    tree = ElementTree.parse(tmp_path / "talk.SVG")
    assert tree.getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "talk.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "talk.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert len(list(tmp_path.iterdir())) == 4, "no part is left"


def test_what_is_drawn_is_what_recognize_says(model: Model, minute: Heard) -> None:
    whole = model.recognize(MINUTE).emotions
    for drawn, one in zip(minute.emotions, whole, strict=True):
        # The same but for rounding: the one is computed step by step.
        assert drawn.confidence == pytest.approx(one.confidence, abs=1e-5)
        assert replace(drawn, confidence=0.0) == replace(one, confidence=0.0)
    told = draw(minute).axes[0]
    said = [text.get_text() for text in told.texts]
    assert len(said) > 10
    assert said[0].startswith("fear")


def test_the_colours_of_the_picture_are_the_emotions_at_their_times(
    minute: Heard,
) -> None:
    """Looks at pixels of the topmost axes, under the names' line."""
    image = matplotlib.image.imread(io.BytesIO(picture(minute, "png", 100)))
    figure = draw(minute)
    figure.set_dpi(100)
    figure.draw_without_rendering()
    told, _, scores, _ = figure.axes
    of = colours(minute.labels)

    def pixel(axes: Any, seconds: float, height: float) -> Any:
        x, y = axes.transData.transform((seconds, height))
        return image[image.shape[0] - 1 - round(y), round(x), :3]

    for emotion in minute.emotions:
        middle = (emotion.start_s + emotion.end_s) / 2
        expected = to_rgb(of[emotion.label])
        assert pixel(told, middle, 0.1) == pytest.approx(expected, abs=0.02)
    seen = 0
    for step, (start_s, end_s) in enumerate(
        zip(minute.edges[:-1], minute.edges[1:], strict=True)
    ):
        row = minute.scores[step]
        if np.isnan(row[0]) or row.max() < 0.5:
            continue
        best = int(row.argmax())
        height = row[:best].sum() + row[best] / 2
        found = pixel(scores, (start_s + end_s) / 2, height)
        assert found == pytest.approx(to_rgb(of[minute.labels[best]]), abs=0.02)
        seen += 1
    assert seen > 100


def test_the_same_recording_gives_the_same_picture(minute: Heard) -> None:
    for format in ("png", "svg", "pdf"):
        assert picture(minute, format, 50) == picture(minute, format, 50)


def test_a_stretch_says_what_the_whole_says_of_it(model: Model, minute: Heard) -> None:
    part = hear(MINUTE, model, 12.0, 20.0)
    assert (part.start_s, part.end_s) == (12.0, 20.0)
    whole = [e for e in minute.emotions if e.end_s > 12 and e.start_s < 20]
    assert [e.label for e in part.emotions] == [e.label for e in whole]
    assert part.emotions[:-1] == whole[:-1], "the last one is cut"
    first = np.flatnonzero(minute.edges[1:] > 12)[0]
    same = minute.scores[first : first + len(part.scores) - 1]
    np.testing.assert_array_equal(part.scores[:-1], same)
    assert part.wave[0][0] == pytest.approx(12, abs=0.01)
    assert part.wave[0][-1] == pytest.approx(20, abs=0.01)


def test_silence_and_a_file_shorter_than_a_step_are_drawn(
    model: Model, tmp_path: Path
) -> None:
    for length in (1, 3000, 40_000):
        path = tmp_path / f"{length}.wav"
        soundfile.write(path, np.zeros(length), 16_000)
        heard = hear(path, model)
        assert np.isnan(heard.scores).all()
        assert picture(heard, "png", 50).startswith(b"\x89PNG")
        assert "No emotion." in page(heard, b"")


def test_hours_are_drawn_with_few_points(minute: Heard) -> None:
    samples = np.tile(np.linspace(-1, 1, 1600, dtype=np.float32), 36_000)
    envelope = Envelope()
    for piece in np.array_split(samples, 1000):
        envelope.take(piece)
    times, low, high = envelope.between(0, 3600, 2400)
    assert len(times) == len(low) == len(high) <= 2400
    assert times[-1] < 3600
    assert (low == -1).all()
    assert (high == 1).all()
    assert len(minute.scores) <= MOST_STEPS


def test_an_envelope_keeps_every_extreme(rng: np.random.Generator) -> None:
    samples = rng.uniform(-1, 1, 10 * LENGTH + 33).astype(np.float32)
    envelope = Envelope()
    for piece in np.split(samples, [7, 500, 501]):
        envelope.take(piece)
    times, low, high = envelope.between(0, len(samples) / 16_000, 1000)
    pieces = np.split(samples, range(LENGTH, len(samples), LENGTH))
    np.testing.assert_array_equal(low, [piece.min() for piece in pieces])
    np.testing.assert_array_equal(high, [piece.max() for piece in pieces])
    assert times[0] == pytest.approx(LENGTH / 2 / 16_000)


def test_a_page_loads_nothing_and_lists_the_emotions(minute: Heard) -> None:
    png = picture(minute, "png", 50)
    tags = Tags(page(minute, png))
    names = {name for name, _ in tags.tags}
    assert names.isdisjoint({"script", "link", "iframe", "object", "embed", "base"})
    sources = [
        value or ""
        for _, attributes in tags.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "background")
    ]
    assert sources == ["data:image/png;base64," + base64.b64encode(png).decode()]
    (policy,) = (
        a["content"] for t, a in tags.tags if a.get("http-equiv") and t == "meta"
    )
    assert (policy or "").startswith("default-src 'none'")
    assert not re.search(r"https?://|url\(|@import", page(minute, b""))
    (alt,) = (a["alt"] for t, a in tags.tags if t == "img")
    assert "emodb_minute.flac" in (alt or "")
    cells = [text for tag, text in tags.texts if tag in ("td", "i")]
    rows = [cells[n : n + 4] for n in range(0, len(cells), 4)]
    assert rows == [
        [e.label, clock(e.start_s), clock(e.end_s), f"{e.confidence:.2f}"]
        for e in minute.emotions
    ]


def test_hostile_names_are_shown_and_break_nothing(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.symlink_to(CLIP)
    for suffix in ("png", "html"):
        done = run("plot", path, "-o", tmp_path / f"x.{suffix}", "--dpi", "50")
        assert (done.returncode, done.stderr) == (0, b"")
    tags = Tags((tmp_path / "x.html").read_text("utf-8"))
    shown = "a$x^$ <b>\"&' -->�漢�.flac"
    assert ("h1", shown) in tags.texts
    assert "b" not in {tag for tag, _ in tags.tags}
    (alt,) = (a["alt"] for t, a in tags.tags if t == "img")
    assert shown in (alt or "")


def test_labels_of_a_model_are_escaped_and_coloured(minute: Heard) -> None:
    label = "<script>$\\frac"
    emotion = EmotionEvent(Phase.END, 1, label, 0, 16_000, 0.5)
    heard = Heard(
        minute.name,
        minute.model,
        (label, "sad"),
        0.0,
        1.0,
        minute.wave,
        np.array([0, 1], np.float32),
        np.array([[0.5, 0.5]], np.float32),
        np.zeros(1, np.float32),
        [emotion],
    )
    assert picture(heard, "png", 50)
    assert "<script" not in page(heard, b"")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-o", "x.bmp"], 2, "ends in .bmp; allowed: .png, .svg, .pdf, .html"),
        (["-o", "x"], 2, "ends in nothing; allowed: .png"),
        (["-o", "x.png", "--from", "5"], 2, "it is 0:01.9 long"),
        (["-o", "x.png", "--from", "1", "--to", "0:01"], 2, "--from must be before"),
        (
            ["-o", "x.png", "--to", "-1"],
            2,
            "--to: '-1' is no time; allowed: seconds, m:ss",
        ),
        (["-o", "x.png", "--to", "nan"], 2, "--to: 'nan' is no time"),
        (["-o", "x.png", "--model", "nobody"], 4, "there is no model 'nobody'"),
        (["-o", "/proc/y.png"], 5, "/proc/y.png cannot be written: "),
        (["-o", "/nowhere/y.png"], 5, "there is no folder /nowhere for y.png; make it"),
        ([], 2, "--out"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_a_status(
    arguments: list[str], status: int, message: str
) -> None:
    done = run("plot", CLIP, *arguments)
    assert message in error_line(done)
    assert done.returncode == status


def test_a_file_that_is_no_audio_leaves_the_picture_that_was(tmp_path: Path) -> None:
    bad, place = tmp_path / "bad.wav", tmp_path / "x.png"
    bad.write_text("no audio")
    place.write_text("old")
    done = run("plot", bad, "-o", place)
    assert done.returncode == 2
    assert "bad.wav is not audio" in error_line(done)
    assert place.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [bad, place]


def test_a_file_that_is_cut_short_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    whole, part, place = (tmp_path / x for x in ("whole.wav", "part.wav", "x.png"))
    soundfile.write(whole, *soundfile.read(CLIP))
    part.write_bytes(whole.read_bytes()[:40_000])
    done = run("plot", part, "-o", place, "--dpi", "50")
    assert done.returncode == 0
    assert b"part.wav is cut short at 1.25 s" in done.stderr
    assert place.exists()


def test_ctrl_c_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    samples, rate = soundfile.read(MINUTE, dtype="int16")
    long, folder = tmp_path / "long.wav", tmp_path / "out"
    soundfile.write(long, np.tile(samples, 60), rate)
    folder.mkdir()
    with start("plot", long, "-o", folder / "x.png") as process:
        until = time.monotonic() + 60
        while not list(folder.glob("*")) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors == b"ser-stream: error: stopped; nothing was written\n"
    assert list(folder.iterdir()) == []


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "ser_stream.commands.plot.figure")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingLibraryError, match=r'"ser-stream\[plot\]"'):
        plot(CLIP, tmp_path / "x.png", ListenConfig())
    with pytest.raises(ConfigError, match=r"allowed: \.png"):
        plot(CLIP, tmp_path / "x.gif", ListenConfig())


def test_times_are_read_as_they_are_written() -> None:
    for seconds, text in [
        (0, "0:00.0"),
        (59.96, "1:00.0"),
        (61.25, "1:01.2"),
        (3599.99, "1:00:00.0"),
        (36_061.5, "10:01:01.5"),
    ]:
        assert clock(seconds) == text
        assert parse_clock(text) == pytest.approx(seconds, abs=0.06)
    assert clock(75, digits=0) == "1:15"
    assert parse_clock("90.5") == 90.5
    for bad in ("", "-1", "1:-2", "a", "nan", "inf", "1:2:3:4", "1::2"):
        with pytest.raises(ValueError, match="is no time; allowed: seconds"):
            parse_clock(bad)
    for length_s in (0.5, 7, 60, 3600, 1e6):
        assert length_s / tick_s(length_s) <= 13


def test_colours_of_a_model_differ_and_can_be_read_on() -> None:
    for packaged in ("open", "accurate"):
        labels = ser_stream.load(packaged).labels
        assert len(set(colours(labels).values())) == len(labels)
    many = [f"class {n}" for n in range(20)]
    assert set(colours(many)) == set(many)
    assert len(set(colours(many[:8]).values())) == 8
    assert {ink(colour) for colour in PALETTE} == {"black", "white"}


def test_help_shows_examples() -> None:
    text = run("plot", "--help").stdout.decode()
    assert "ser-stream plot talk.wav -o talk.png" in text
    assert "--from" in json.dumps(text)
