"""Weights that learned go into the graphs that the network was exported to."""

import copy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ser_stream.adaptation.child.candidate import write_graphs
from ser_stream.adaptation.child.statistics import with_statistics_of
from ser_stream.errors import ModelError
from ser_stream.pipeline.bundle import HEAD, load_bundle
from ser_stream.pipeline.front_end import frames_of
from ser_stream.pipeline.recognizer import OnnxRecognizer, encode_window
from tests.helpers.made_once import MadeOnce
from tests.helpers.paths import DATA
from tests.helpers.small_whisper import FRONT_END, export_small_whisper, small_whisper
from training.corpora.utterance import read_samples

FRAMES = frames_of(read_samples(DATA / "03a01Wa.flac"), FRONT_END)[:150]


def test_a_frozen_encoder_stays_and_the_head_is_the_new_one(
    once: MadeOnce, tmp_path: Path
) -> None:
    folder = once("small-whisper", export_small_whisper)
    before = small_whisper()
    # It has no batch normalisation whose statistics could be moved.
    after = with_statistics_of(before, [FRAMES], 0.8)
    after.head.classifier.weight.data.mul_(-0.5)
    write_graphs(folder, before, after, tmp_path)
    recognizer = OnnxRecognizer(load_bundle(str(folder)))
    columns = encode_window(recognizer, FRAMES)
    with torch.no_grad():
        old, new = (
            network(torch.from_numpy(FRAMES)[None])[0].numpy()
            for network in (before, after)
        )
    np.testing.assert_allclose(recognizer.logits(columns), old, atol=1e-4)
    written = _unsealed(folder, tmp_path)
    np.testing.assert_allclose(written.encode(FRAMES, None)[0], columns, atol=1e-6)
    np.testing.assert_allclose(written.logits(columns), new, atol=1e-4)
    assert np.abs(old - new).max() > 0.1


def _unsealed(folder: Path, graphs: Path) -> OnnxRecognizer:
    """The bundle in `folder` with other graphs, which its manifest does not know."""
    bundle = copy.copy(load_bundle(str(folder)))
    object.__setattr__(bundle, "folder", graphs)
    return OnnxRecognizer(bundle)


def test_weights_of_another_network_are_noticed(once: MadeOnce, tmp_path: Path) -> None:
    folder = once("small-whisper", export_small_whisper)
    other = small_whisper()
    other.head.classifier.weight.data.add_(1.0)
    with pytest.raises(ModelError, match="is none of the weights"):
        write_graphs(folder, other, small_whisper(), tmp_path)
    assert not (tmp_path / HEAD).exists()
