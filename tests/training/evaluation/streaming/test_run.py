"""The whole benchmark at a tiny size: a small model on a few EmoDB clips."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from ser_stream.errors import ConfigError, ModelError, SerStreamError, SourceError
from ser_stream.model import Model
from ser_stream.pipeline.bundle import load_bundle, sealed
from ser_stream.pipeline.bundle_evidence import read_evidence, write_evidence
from ser_stream.pipeline.smoothing import SmoothingConfig
from ser_stream.pipeline.values import (
    SAMPLE_RATE,
    Chunk,
    EmotionEvent,
    FloatArray,
    Prediction,
)
from ser_stream.tuning.search import measure
from tests.helpers.minute import utterances_of_the_minute, write_corpus
from tests.helpers.paths import MINUTE, TINY
from training.__main__ import main
from training.engine.checkpoint import load_checkpoint, save_checkpoint
from training.evaluation.streaming import SECTIONS, StreamEvalConfig, run
from training.evaluation.streaming.changes import active_labels
from training.evaluation.streaming.stream_file import read_streams


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of the same four clips, angry and sad, and a folder of noise.

    The clips are those of the minute, as if one person had said them all.
    """
    folder = tmp_path_factory.mktemp("corpora")
    said = [
        replace(one, speaker="one")
        for one in utterances_of_the_minute()
        if one.emotion in ("angry", "sad") and one.seconds < 3.4
    ]
    assert [one.emotion for one in said] == ["sad", "sad", "angry", "angry"]
    for corpus in ("emodb", "street"):
        write_corpus(folder / corpus, said)
    (folder / "noise").mkdir()
    rng = np.random.default_rng(0)
    table = ["file,contains_voice"]
    for name, voice in (("fan", "no"), ("rain", "no"), ("baby", "yes")):
        noise = 0.01 * rng.standard_normal(2 * SAMPLE_RATE)
        soundfile.write(folder / "noise" / f"{name}.wav", noise, SAMPLE_RATE)
        table.append(f"{name}.wav,{voice}")
    (folder / "noise/manifest.csv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture(scope="module")
def crossval(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation of two folds, both with the weights of the model.

    The first says that it has no training speakers, so it scores all.
    """
    folder = tmp_path_factory.mktemp("crossval")
    saved = load_checkpoint(TINY)
    rng = np.random.default_rng(1)
    for k, speakers in ((1, []), (2, ["emodb/one"])):
        path = folder / f"fold-{k}/checkpoint.pt"
        save_checkpoint(path, {**saved, "speakers": speakers})
        clips = [
            {
                "name": f"emodb/{k}-{i}.wav",
                "speaker": "one",
                "truth": i % 5,
                "columns": list(range(1, 26)),
                "logits": (rng.normal(size=(25, 5)) + 2 * np.eye(5)[i % 5]).tolist(),
            }
            for i in range(10)
        ]
        (path.parent / "steps.json").write_text(json.dumps({"clips": clips}))
    return folder


@pytest.fixture(scope="module")
def whole(
    tiny: Path, corpora: Path, crossval: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, StreamEvalConfig]:
    """All sections, once for this module."""
    settings = StreamEvalConfig(
        model=str(tiny),
        corpora=corpora,
        crossval=crossval,
        unseen=("street",),
        out=tmp_path_factory.mktemp("out"),
        hours=1 / 60,
    )
    result, out = run(settings, progress=False)
    return result, out, settings


def test_every_section_is_there_for_every_group(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
) -> None:
    result, out, _ = whole
    assert list(result["groups"]) == ["unseen speakers of emodb", "street"]
    for group in result["groups"].values():
        assert {*SECTIONS} - {"false-alarms"} < {*group}
        assert group["speakers"] == ["one"]
        assert next(iter(group["levels"]["conditions"])) == "-30 dB"
        assert list(group["noise"]["coloured noise"]["conditions"])[1] == "10 dB"
        # Two angry and two sad clips: one change in each of the two rounds.
        assert group["changes"]["changes"] == 2
        assert 0 < group["changes"]["coverage"] <= 1
        assert group["calibration"]["clips"]["n"] == group["clips"] == 4
    assert result["false-alarms"]["hours"] == pytest.approx(1 / 60, abs=1e-3)
    assert result["false-alarms"]["with_voice"]["hours"] > 0
    assert json.loads((out / "stream-eval.json").read_text()) == result
    for name in ("levels", "noise", "early", "changes", "calibration"):
        assert (out / f"{name}.png").stat().st_size > 1000


def test_the_model_knows_the_clips_that_it_was_trained_on(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
) -> None:
    # No figure of merit: the model learned from these clips. It shows that truth and
    # prediction meet, for the ONNX graphs and for the networks of the folds.
    for group in whole[0]["groups"].values():
        assert group["levels"]["clean"]["UAR"] > 80
        assert group["early"]["at_3s"]["UAR"] > 80


def test_what_is_there_is_not_measured_again(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _, settings = whole

    def never(*_: object) -> None:
        raise AssertionError("heard again")

    monkeypatch.setattr("training.evaluation.streaming.unseen_speakers.record", never)
    monkeypatch.setattr("ser_stream.model.Model.record", never)
    assert run(settings, progress=False)[0] == result


def test_figures_of_other_settings_are_never_mixed(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
) -> None:
    with pytest.raises(ConfigError, match=r"\(seed: 98 there, 1 now\).*another --out"):
        run(replace(whole[2], seed=1), progress=False)


def test_a_bundle_with_other_evidence_goes_on_with_its_figures(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig], tmp_path: Path
) -> None:
    result, out, settings = whole
    folder = tmp_path / "same-graphs"
    copytree(settings.model, folder)
    bundle = load_bundle(str(folder))
    write_evidence(bundle, read_evidence(bundle) | {"stream_eval": {"seed": 98}})
    again, _ = run(replace(settings, model=str(folder)), progress=False)
    assert again["groups"] == result["groups"]
    thresholds = bundle.manifest["thresholds"] | {"enter": 0.9}
    changed = bundle.manifest | {"thresholds": thresholds}
    (folder / "manifest.json").write_text(json.dumps(sealed(changed)))
    with pytest.raises(ConfigError, match=r"thresholds\.enter: "):
        run(replace(settings, model=str(folder)), progress=False)
    assert json.loads((out / "stream-eval.json").read_text()) == result


def test_stored_streams_give_the_same_figures_to_a_search_of_thresholds(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
) -> None:
    result, out, settings = whole
    bundle = load_bundle(settings.model)
    for file, name in (
        ("unseen-speakers-of-emodb", "unseen speakers of emodb"),
        ("street", "street"),
    ):
        streams = read_streams(
            out / f"streams/{file}.jsonl", bundle.labels, bundle.thresholds.uncertain
        )
        measured = result["groups"][name]["changes"]
        figures = measure(streams, bundle.labels, bundle.thresholds)
        assert len(streams) == measured["streams"]
        assert figures.coverage == pytest.approx(measured["coverage"], abs=1e-3)
        assert figures.accuracy == pytest.approx(
            measured["accuracy_while_active"], abs=1e-3
        )
        assert figures.flips_per_minute == pytest.approx(
            measured["flips_per_minute"], abs=1e-3
        )
        # An emotion that nothing can start covers nothing.
        never = SmoothingConfig(enter=1.0)
        assert measure(streams, bundle.labels, never).coverage == 0


def test_a_recording_is_what_one_pass_through_the_pipeline_says(tiny: Path) -> None:
    bundle = load_bundle(str(tiny))
    minute: FloatArray = soundfile.read(MINUTE, dtype="float32")[0]
    samples = minute[:200_000]
    model = Model(bundle)
    pipeline = model.pipeline()
    events = [*pipeline.feed(Chunk(0, samples)), *pipeline.flush()]
    recording = model.record(samples)
    emotions = [e for e in events if isinstance(e, EmotionEvent)]
    assert [told.event for told in recording.told] == emotions
    assert len(emotions) > 5
    predictions = [e for e in events if isinstance(e, Prediction)]
    assert [p.end for p in recording.predictions] == [p.end for p in predictions]
    for one, other in zip(recording.predictions, predictions, strict=True):
        assert one.state is other.state
        if one.scores is not None and other.scores is not None:
            assert np.array_equal(one.scores, other.scores)
    # Told when the step fell due, never before the audio it rests upon.
    ends = {p.end for p in predictions} | {len(samples)}
    assert {told.at for told in recording.told} <= ends
    assert all(told.at >= told.event.end for told in recording.told)
    assert recording.heard_s == sorted(recording.heard_s)
    assert recording.heard_s[-1] == pytest.approx(pipeline.speech_s, abs=0.3)
    assert None in active_labels(recording)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"model": "nobody"}, ModelError, "there is no model 'nobody'"),
        ({"unseen": ("moon",)}, SourceError, "there is no corpus folder"),
        ({"unseen": ("emodb",)}, ConfigError, "emodb is no unseen corpus"),
        ({"unseen": None}, ConfigError, "none of savee, casia; name other corpora"),
        ({"crossval": Path("nowhere")}, ModelError, "nowhere is no cross-validation"),
    ],
)
def test_what_is_not_there_is_named(
    tiny: Path,
    corpora: Path,
    tmp_path: Path,
    changed: dict[str, Any],
    error: type[SerStreamError],
    message: str,
) -> None:
    settings = StreamEvalConfig(
        str(tiny), corpora, unseen=("street",), out=tmp_path / "out"
    )
    with pytest.raises(error, match=message):
        run(replace(settings, **changed), progress=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hours": 0.0}, "hours is 0; allowed: more than 0"),
        ({"hours": float("nan")}, "hours is nan"),
        ({"only": ("speed",)}, "no section 'speed'; allowed: levels, noise"),
        ({"limit": 0}, "limit is 0; allowed: 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        StreamEvalConfig(**{"model": "open", "corpora": Path(), **changed})


def test_networks_of_other_labels_or_another_front_end_are_refused(
    tiny: Path, corpora: Path, crossval: Path, tmp_path: Path
) -> None:
    saved = load_checkpoint(TINY)
    others: dict[str, dict[str, Any]] = {
        "knows": {"labels": ["angry", "boredom", "happy", "neutral", "sad"]},
        "another front end": {"normalise": {"kind": "fixed"}},
    }
    for message, change in others.items():
        folder = tmp_path / message.replace(" ", "-")
        for k in (1, 2):
            path = folder / f"fold-{k}/checkpoint.pt"
            config = {**saved["config"], **change}
            save_checkpoint(path, {**saved, "config": config, "speakers": []})
            steps = (crossval / f"fold-{k}/steps.json").read_text()
            (path.parent / "steps.json").write_text(steps)
        settings = StreamEvalConfig(
            str(tiny), corpora, crossval=folder, out=folder, only=("early",)
        )
        with pytest.raises(ConfigError, match=f"{message}.*own cross-validation"):
            run(settings, progress=False)


def test_a_fold_that_is_not_finished_is_named(
    tiny: Path, corpora: Path, crossval: Path, tmp_path: Path
) -> None:
    for k in (1, 2):
        path = tmp_path / f"fold-{k}/checkpoint.pt"
        save_checkpoint(path, load_checkpoint(crossval / f"fold-{k}/checkpoint.pt"))
    settings = StreamEvalConfig(
        str(tiny), corpora, crossval=tmp_path, out=tmp_path / "out"
    )
    with pytest.raises(ModelError, match=r"steps\.json.*is this fold finished"):
        run(settings, progress=False)


def test_the_command_prints_a_summary_or_json_and_one_line_of_what_is_wrong(
    whole: tuple[dict[str, Any], Path, StreamEvalConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result, out, settings = whole
    arguments = [
        *("stream-eval", settings.model, "--corpora", str(settings.corpora)),
        *("--crossval", str(settings.crossval), "--unseen", "street"),
        *("--out", str(out), "--hours", str(settings.hours)),
    ]

    def training(*more: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["training", *arguments, *more])
        status = main()
        told = capsys.readouterr()
        return status, told.out, told.err

    status, told, _ = training()
    assert status == 0
    for id_ in ("M3", "M4", "M5", "M6", "M7", "M8"):
        assert id_ in told
    assert json.loads(training("--json")[1]) == result
    status, told, wrong = training("--hours", "0")
    assert (status, told) == (2, "")
    assert wrong.startswith("training: error: hours is 0; allowed: more than 0")
    assert wrong.count("\n") == 1
