"""The graph of the voice encoder computes what the network does."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from export.voice import in_eight_bits, voice_graph
from ser_stream.pipeline.onnx_session import open_session


def test_the_graph_computes_what_torch_does_and_eight_bits_nearly(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    lstm, linear = nn.LSTM(40, 256, 3, batch_first=True), nn.Linear(256, 256)
    weights = {f"lstm.{name}": value for name, value in lstm.state_dict().items()}
    weights |= {f"linear.{name}": value for name, value in linear.state_dict().items()}
    mel = torch.rand(1, 160, 40)
    with torch.no_grad():
        _, (hidden, _) = lstm(mel)
        truth = torch.relu(linear(hidden[-1]))
        truth = (truth / truth.norm()).numpy()[0]
    graph = voice_graph(weights)
    data = graph.SerializeToString()
    whole = open_session(tmp_path / "voice.onnx", data)
    found = whole.run(None, {"mel": mel.numpy()})[0][0]
    assert np.abs(found - truth).max() < 1e-5
    small = in_eight_bits(graph).SerializeToString()
    assert len(small) < 0.3 * len(data)
    quick = open_session(tmp_path / "small.onnx", small)
    assert quick.run(None, {"mel": mel.numpy()})[0][0] @ truth > 0.995
