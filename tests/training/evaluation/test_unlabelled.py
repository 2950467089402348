"""Learning without labels: what is heard and scored, and by which features."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.adaptation.child.mdd_round import Domain
from ser_stream.pipeline.last_layer import LastLayer
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recording import record
from tests.training.evaluation.test_adaptation import clips_of
from training.corpora import Utterance, load_corpora
from training.corpora.utterance import read_samples
from training.evaluation.heard_clip import _FeatureRecorder
from training.evaluation.unlabelled.centres import Centres
from training.evaluation.unlabelled.clip_frames import clip_frames
from training.evaluation.unlabelled.feature_change import METHODS, Source
from training.evaluation.unlabelled.networks import Begun, networks
from training.evaluation.unlabelled.rooms import MIXES, rooms
from training.evaluation.unlabelled.run import (
    MEAN,
    NOTHING,
    UnlabelledRun,
    gains,
    lines,
    unlabelled,
)

N_FEATURES = 16


@pytest.fixture(scope="module")
def begun() -> Begun:
    return Begun.of("open")


@pytest.mark.parametrize("mix", MIXES)
def test_what_is_heard_is_not_scored_and_has_the_mix(mix: str) -> None:
    clips = [u for u in clips_of(n=20) if u.emotion not in ("disgust", "surprise")]
    found = rooms(clips, "savee", mix, 98)
    people = [{clips[i].speaker for i in room.scored} for room in found]
    assert [len(each) for each in people] == [2, 2]
    assert not people[0] & people[1]
    for room, speakers in zip(found, people, strict=True):
        assert not set(room.heard) & set(room.scored)
        assert {clips[i].speaker for i in room.heard} == speakers
        heard = Counter(clips[i].emotion for i in room.heard)
        scored = Counter(clips[i].emotion for i in room.scored)
        assert set(scored.values()) == {20}
        n = sum(heard.values())
        share = heard["neutral"] / n
        assert share == 0.2 if mix == "balanced" else 0.78 < share < 0.85
    other = rooms(clips, "savee", MIXES[0], 98)
    assert all(
        np.array_equal(a.scored, b.scored) for a, b in zip(found, other, strict=True)
    )


def test_features_of_a_clip_are_those_of_its_stream(
    begun: Begun, clip_corpora: Path
) -> None:
    clips = load_corpora(clip_corpora, ["clips"])[:2]
    bundle, network = begun.bundle, begun.network()
    frames = clip_frames(
        clips, bundle.labels, bundle.front_end, bundle.geometry, bundle.step_s
    )
    for clip, one in zip(clips, frames, strict=True):
        recorder = _FeatureRecorder(network, bundle.labels)
        stream = PipelineConfig(step_s=bundle.step_s)
        record(read_samples(clip.path), recorder, bundle.front_end, stream)
        heard = one.heard_by(network)
        assert heard.columns == recorder.columns
        assert len(heard.columns) > 3
        np.testing.assert_allclose(heard.features, np.array(recorder.kept), atol=1e-5)


def test_every_method_changes_what_is_said_and_none_the_layer() -> None:
    rng = np.random.default_rng(5)
    emotions = rng.normal(size=(5, N_FEATURES)).astype(np.float32)
    emotions -= emotions.mean(0)
    layer = LastLayer(
        np.zeros(N_FEATURES, np.float32), emotions, np.zeros(5, np.float32), emotions
    )
    labels, speakers = np.tile(np.arange(5), 12), np.repeat(np.arange(4), 15)
    off = 5 * rng.normal(size=(4, N_FEATURES))
    features = (
        off[speakers] + emotions[labels] + 0.5 * rng.normal(size=(60, N_FEATURES))
    ).astype(np.float32)
    source = Source.of(emotions, features, labels, speakers)
    # Neither speakers nor classes are left in it.
    assert source.within.std() == pytest.approx(0.5, rel=0.1)
    heard = (features - off[speakers] + 0.3).astype(np.float32)
    before = layer.logits(heard)
    for name, method in METHODS.items():
        logits = method(layer, heard, source)(heard)
        assert logits.shape == before.shape, name
        assert not np.allclose(logits, before), name
        assert np.mean(logits.argmax(1) == labels) > 0.5, name
    assert np.array_equal(layer.logits(heard), before)


def test_each_domain_is_taken_less_the_means_of_its_speakers(begun: Begun) -> None:
    network, source = begun.network(), begun.source()
    rows = np.flatnonzero(source.speaker == np.bincount(source.speaker).argmax())
    few = replace(
        source,
        frames=source.frames[rows],
        columns=source.columns[rows],
        label=source.label[rows],
        speaker=source.speaker[rows],
        allowed=source.allowed[rows],
    )
    here = Domain(network.encoder, few.all_frames(), few.geometry, learns=False)
    there = Domain(network.encoder, few.all_frames()[:5], few.geometry, learns=True)
    with torch.no_grad():
        found = Centres(few, None)(network, here, there, 0, np.array([2, 0]))
        every = torch.cat(
            [network.head.features(here.encoded(i)) for i in range(len(few))]
        )
    assert found.shape == (4, 192)
    assert torch.equal(found[0], found[1])  # one speaker
    assert torch.equal(found[2], found[3])  # one room
    assert not torch.allclose(found[0], found[2])
    n = 2.5 * len(few)
    shrunk = (n * every.mean(0) + 12.5 * network.head.mean) / (n + 12.5)
    torch.testing.assert_close(found[0], shrunk, atol=1e-5, rtol=1e-4)


def test_too_little_speech_for_a_round_leaves_everything(
    begun: Begun, clip_corpora: Path, tmp_path: Path
) -> None:
    clips: list[Utterance] = load_corpora(clip_corpora, ["clips"])[:1]
    found, about = networks(begun, clips, tmp_path, seed=1)
    assert found == {}
    assert about["rounds"] == []


def test_results_are_kept_and_read_again(tmp_path: Path, clip_corpora: Path) -> None:
    for name in ("far", "clips"):
        (tmp_path / "corpora" / name).mkdir(parents=True)
        # Each clip for two speakers, twice, so that there is something to hear.
        rows = ["file,speaker,emotion,sex,language"]
        for row in (clip_corpora / name / "manifest.csv").read_text().splitlines()[1:]:
            file, _, emotion, *_ = row.split(",")
            path = clip_corpora / name / file
            rows += [f"{path},{who},{emotion},male,de" for who in "aabb"]
        text = "\n".join(rows) + "\n"
        (tmp_path / "corpora" / name / "manifest.csv").write_text(text)
    space = UnlabelledRun(
        "open", "hash", tmp_path / "corpora", tmp_path / "out", tmp_path / "runs"
    )
    found = unlabelled(space, ["far"], ["features"])
    path = tmp_path / "out/features/far-neutral-seed-98.json"
    result = json.loads(path.read_text())
    assert list(result["right"]) == [NOTHING, MEAN, *METHODS]
    before = path.stat().st_mtime_ns
    again = unlabelled(space, ["far"], ["features"])
    assert path.stat().st_mtime_ns == before
    assert gains(again) == gains(found)
    row = gains(found)["balanced"][MEAN]["far"]
    assert row["gain"] == 0
    table = list(lines(found))
    assert table[0] == "heard: balanced"
    assert any(line.startswith(f"| {MEAN} | ") for line in table)
