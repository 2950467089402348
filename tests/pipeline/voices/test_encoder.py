"""Samples -> an embedding of the voice."""

import numpy as np
import soundfile

from ser_stream.pipeline.bundle import file_hash
from ser_stream.pipeline.values import FloatArray
from ser_stream.pipeline.voices.encoder import (
    GRAPH_SHA256,
    VoiceEncoder,
    graph_path,
    mel_frames,
)
from tests.helpers.minute import utterances_of_the_minute
from tests.helpers.paths import DATA


def test_the_graph_is_the_one_whose_origin_is_written_down() -> None:
    assert file_hash(graph_path()) == GRAPH_SHA256
    assert graph_path().stat().st_size < 2e6
    licence = graph_path().with_name("LICENSE.resemblyzer")
    assert "Apache License" in licence.read_text(encoding="utf-8")
    card = graph_path().with_name("README.md").read_text(encoding="utf-8")
    assert "Apache-2.0" in card


def test_the_mel_bands_are_those_it_was_trained_on() -> None:
    """By librosa, of which `data/make_mfcc_reference.py` has the numbers."""
    samples: FloatArray = soundfile.read(DATA / "03a01Wa.flac", dtype="float32")[0]
    truth = np.load(DATA / "mel_reference.npy")
    found = mel_frames(samples)
    assert found.shape == truth.shape
    assert np.abs(found - truth).max() <= 1e-5 * truth.max()


def test_an_embedding_tells_men_from_women_at_any_level() -> None:
    encoder = VoiceEncoder()
    said = [one for one in utterances_of_the_minute() if one.seconds > 1.7]
    embeddings = np.array([encoder.embedding(one.samples[:25600]) for one in said])
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    women = np.array([one.sex == "female" for one in said])
    alike = embeddings @ embeddings.T
    np.fill_diagonal(alike, np.nan)
    same_sex = np.equal.outer(women, women)
    assert np.nanmean(alike[same_sex]) > np.nanmean(alike[~same_sex]) + 0.05
    quiet = encoder.embedding(said[0].samples[:25600] * np.float32(0.01))
    assert quiet @ embeddings[0] > 0.999
