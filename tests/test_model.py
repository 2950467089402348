"""The library: recordings and streams, as programs hear them."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

import ser_stream
from ser_stream.errors import ModelError, SourceError
from ser_stream.model import Model, Stream
from ser_stream.pipeline.values import EmotionEvent, FloatArray, Prediction
from ser_stream.protocol.messages import MessageBuilder
from tests.helpers.paths import DATA, MINUTE, ROOT
from tests.helpers.program import messages, run

CLIPS = sorted(DATA.glob("[01]*.flac"))
Event = Prediction | EmotionEvent


@pytest.fixture(scope="module")
def model() -> Model:
    return ser_stream.load("open")


@pytest.fixture(scope="module")
def minute() -> FloatArray:
    samples: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    return samples


def heard(
    stream: Stream, pieces: Iterable[ArrayLike], rate: int = 16_000
) -> list[Event]:
    events = [event for piece in pieces for event in stream.feed(piece, rate)]
    return [*events, *stream.flush()]


def said(events: Iterable[Event], model: Model) -> list[dict[str, Any]]:
    """What the daemon would say of them, without what is not the audio's."""
    builder = MessageBuilder()
    lines = []
    for event in events:
        if event.type == "prediction":
            lines.append(builder.prediction(event, model.labels, 0.0))
        else:
            lines.append(builder.emotion(event))
    return [plain(json.loads(line.line)) for line in lines]


def plain(message: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in message.items() if k not in ("time", "seq", "latency_ms")}


def test_a_stream_says_what_listen_says(model: Model, minute: FloatArray) -> None:
    done = run("listen", "--input", MINUTE, "--pace", "fast")
    expected = [
        plain(m)
        for m in messages(done.stdout)
        if m["type"] in ("prediction", "emotion")
    ]
    events = heard(model.stream(), np.split(minute, 100))
    assert said(events, model) == expected
    assert len([e for e in events if e.type == "emotion" and e.phase == "start"]) > 5


def test_a_recording_is_recognised_as_the_command_does(model: Model) -> None:
    rows = messages(run("recognize", "--segments", *CLIPS).stdout)
    for path, row in zip(CLIPS, rows, strict=True):
        assert row.pop("file") == str(path)
        samples, rate = soundfile.read(path)
        for found in (model.recognize(path), model.recognize(samples, rate)):
            assert found.to_dict(segments=True) == row
            assert found.by_label is not None
            assert found.label is not None
            assert found.confidence == found.by_label[found.label]
            assert tuple(found.by_label) == model.labels
            assert sum(found.by_label.values()) == pytest.approx(1)
            assert not found.short


@settings(max_examples=12)
@given(
    rate=st.sampled_from([8000, 16_000, 44_100, 48_000]),
    channels=st.integers(1, 2),
    cuts=st.lists(st.integers(0, 100_000), max_size=20),
)
def test_how_a_stream_is_cut_does_not_matter(
    rate: int, channels: int, cuts: list[int]
) -> None:
    model = _CUT_MODEL
    other = soxr.resample(_CUT_SAMPLES, 16_000, rate)
    frames = np.tile(other[:, None], channels)
    whole = heard(model.stream(), [frames], rate)
    pieces = np.split(frames, sorted(cut % len(frames) for cut in cuts))
    cut = heard(model.stream(), pieces, rate)
    assert [repr(event) for event in cut] == [repr(event) for event in whole]
    assert any(event.type == "prediction" and event.label for event in whole)


_CUT_MODEL = ser_stream.load()
_CUT_SAMPLES = soundfile.read(CLIPS[0], dtype="float32")[0][:24_000]


def test_events_have_names_and_seconds(model: Model, minute: FloatArray) -> None:
    events = heard(model.stream(), [minute])
    for event in events:
        assert (event.start_s, event.end_s) == (event.start / 16e3, event.end / 16e3)
        if event.type == "prediction":
            assert (event.by_label is None) == (event.scores is None)
            if event.by_label is not None:
                assert tuple(event.by_label) == model.labels
                assert max(event.by_label.values()) == event.confidence
        else:
            assert event.label in model.labels


def test_integers_are_the_same_as_floats_and_a_buffer_may_be_used_again(
    model: Model,
) -> None:
    samples, _ = soundfile.read(CLIPS[0], dtype="int16")
    floats, _ = soundfile.read(CLIPS[0], dtype="float32")
    expected = said(heard(model.stream(), [floats]), model)
    assert said(heard(model.stream(), [samples]), model) == expected
    stream, buffer, events = model.stream(), np.zeros(1000, np.float32), []
    for start in range(0, len(floats), 1000):
        piece = floats[start : start + 1000]
        buffer[: len(piece)] = piece
        events += stream.feed(buffer[: len(piece)])
        buffer[:] = 1.0
    assert said([*events, *stream.flush()], model) == expected


def test_another_rate_is_recognised_from_a_file_and_an_array_alike(
    model: Model, tmp_path: Path, minute: FloatArray
) -> None:
    stereo = np.tile(soxr.resample(minute[:80_000], 16_000, 44_100)[:, None], 2)
    path = tmp_path / "other.wav"
    soundfile.write(path, stereo, 44_100, "FLOAT")
    found = model.recognize(str(path))
    assert found.to_dict(True) == model.recognize(stereo, 44_100).to_dict(True)
    assert found.duration_s == pytest.approx(5.0, abs=1e-3)


def test_reset_forgets_and_the_next_stream_is_as_the_first(
    model: Model, minute: FloatArray
) -> None:
    samples = minute[16_000:80_000]
    stream = model.stream()
    first = said(heard(stream, [samples]), model)
    assert said(heard(stream, [samples]), model) == first, "flush ends a stream"
    stream.feed(minute[:50_000])
    stream.reset()
    stereo = np.tile(samples[:, None], 2)
    assert said(heard(stream, [stereo]), model) == first, "with other channels, too"
    stream.reset()
    assert stream.flush() == []


def test_streams_of_one_model_do_not_disturb_each_other(
    model: Model, clips: dict[str, FloatArray]
) -> None:
    one, two = clips["03a01Wa"], clips["15a02Ac"]
    alone = [said(heard(model.stream(), [clip]), model) for clip in (one, two)]
    streams = model.stream(), model.stream()
    events: tuple[list[Event], list[Event]] = ([], [])
    for start in range(0, max(len(one), len(two)), 700):
        for stream, found, clip in zip(streams, events, (one, two), strict=True):
            found += stream.feed(clip[start : start + 700])
    for stream, found in zip(streams, events, strict=True):
        found += stream.flush()
    assert [said(found, model) for found in events] == alone


def test_a_short_array_is_padded_and_silence_has_no_label(
    model: Model, clip: FloatArray
) -> None:
    short = model.recognize(clip[4000:11_000])
    assert (short.short, short.duration_s) == (True, 7000 / 16_000)
    assert short.label is not None
    silence = model.recognize(np.zeros(32_000))
    assert (silence.label, silence.confidence, silence.by_label) == (None,) * 3
    assert (silence.speech_s, silence.short, silence.emotions) == (0.0, False, [])
    assert model.stream().feed(np.zeros(0)) == []


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        ([0.0, float("nan")], 16_000, "array: sample 1 is not a number"),
        ([[0.0], [float("inf")]], 16_000, "array: sample 1 is not a number"),
        (np.zeros((1, 16_000)), 16_000, r"shape \(1, 16000\); allowed: \(n,\), or"),
        (np.zeros((2, 2, 2)), 16_000, r"shape \(2, 2, 2\)"),
        (0.5, 16_000, r"shape \(\)"),
        (np.zeros((9, 0)), 16_000, r"shape \(9, 0\)"),
        ([1, 2], 16_000, "samples are int64; allowed: floats from -1 to 1, or int16"),
        ([[0.0], [0.0, 0.0]], 16_000, "samples are no array: "),
        (["a"], 16_000, "samples are <U1; allowed"),
        ([0.0], 0, "rate is 0 Hz; allowed: 1000 to 768000"),
    ],
)
def test_what_is_no_audio_is_refused(
    model: Model, samples: ArrayLike, rate: int, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        model.stream().feed(samples, rate)
    with pytest.raises(SourceError, match=message):
        model.recognize(samples, rate)


def test_a_stream_that_changes_is_refused_and_goes_on_as_it_was(
    model: Model, clip: FloatArray
) -> None:
    stream = model.stream()
    with pytest.raises(SourceError, match="not a number"):
        stream.feed([[float("nan")] * 2], 8000)
    events = stream.feed(clip[:9000])
    with pytest.raises(SourceError, match=r"began with 16000 Hz in 1 channel, and now"):
        stream.feed(clip[9000:], 8000)
    with pytest.raises(SourceError, match=r"comes 16000 Hz in 2 channels; call reset"):
        stream.feed(np.zeros((9, 2)))
    with pytest.raises(SourceError, match=r"sample 9000 is not a number"):
        stream.feed([float("nan")])
    events += [*stream.feed(clip[9000:]), *stream.flush()]
    assert said(events, model) == said(heard(model.stream(), [clip]), model)


def test_what_is_beyond_full_scale_is_clipped_with_one_warning(
    model: Model, clip: FloatArray, caplog: pytest.LogCaptureFixture
) -> None:
    loud = clip * 20
    events = heard(model.stream(), np.split(loud, [9000]))
    assert said(events, model) == said(
        heard(model.stream(), [np.clip(loud, -1, 1)]), model
    )
    assert len([r for r in caplog.records if "beyond full scale" in r.message]) == 1


def test_what_is_not_there_is_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model 'nobody'"):
        ser_stream.load("nobody")
    with pytest.raises(SourceError, match="there is no file"):
        model.recognize(tmp_path / "none.wav")
    with pytest.raises(SourceError, match="no samples"):
        model.recognize(np.zeros(0))


def test_the_example_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (example,) = re.findall(
        r"```python\n(import ser_stream, soundfile\n.*?)```", text, re.S
    )
    assert len([line for line in example.splitlines() if line]) == 6
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("angry")
    assert len(lines) > 10


def test_many_recordings_are_recognised_as_each_is_alone(
    model: Model, minute: FloatArray, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    short = np.zeros(100, np.float32)
    given: list[Any] = [*CLIPS, broken, minute[:200_000], tmp_path / "absent", short]
    found = list(model.recognize_each(given))

    assert len(found) == len(given)
    for recording, result in zip(given, found, strict=True):
        if isinstance(result, SourceError):
            with pytest.raises(SourceError, match=re.escape(str(result))):
                model.recognize(recording)
            continue
        one, other = result.to_dict(True), model.recognize(recording).to_dict(True)
        assert (one["label"], one["segments"]) == (other["label"], other["segments"])
        assert one["scores"] == pytest.approx(other["scores"], abs=2e-4)
    assert [i for i, r in enumerate(found) if isinstance(r, SourceError)] == [
        len(CLIPS),
        len(CLIPS) + 2,
    ]
