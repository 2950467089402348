"""Frames of every clip, once, and from them the features of its steps by any network.

What the speech gate and the front end do does not depend on the network. So a clip goes
through the pipeline once, with a recogniser that notes what it is given, and every
other network encodes each turn of it in one go: the same columns, exactly, as CPAC's
convolutions are valid.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from ser_stream.nn.cpac import Cpac
from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import Geometry
from ser_stream.pipeline.pipeline import PipelineConfig
from ser_stream.pipeline.recording import record
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import EncoderState, FloatArray
from training.corpora import Utterance
from training.corpora.utterance import read_samples
from training.evaluation.heard_clip import HeardClip


@dataclass(frozen=True, slots=True, eq=False)
class ClipFrames:
    """The turns of a clip, and which of their columns each step is about."""

    turns: list[FloatArray]
    """Frames of each, (8 n + 30, n_features), normalised."""
    steps: list[tuple[int, int, int]]
    """Turn, first column, and the one behind the last."""

    @torch.no_grad()
    def heard_by(self, model: Cpac) -> HeardClip:
        """The features of every step by a network in evaluation mode."""
        columns = [model.encoder(torch.from_numpy(t)[None])[0] for t in self.turns]
        windows = [columns[turn][first:end] for turn, first, end in self.steps]
        found = np.zeros((len(windows), model.config.n_features), np.float32)
        # Windows of one length in one go.
        lengths = np.array([len(window) for window in windows], np.intp)
        for n in np.unique(lengths):
            rows = np.flatnonzero(lengths == n)
            alike = torch.stack([windows[i] for i in rows])
            found[rows] = model.head.features(alike).numpy()
        return HeardClip(found, lengths.tolist())


class _FrameRecorder:
    """In the recogniser's seat: for columns it gives their numbers, turn by turn."""

    def __init__(self, labels: tuple[str, ...], geometry: Geometry) -> None:
        self.labels, self.geometry = labels, geometry
        self.turns: list[list[FloatArray]] = []
        self.steps: list[tuple[int, int, int]] = []
        self._n = 0

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        geometry = self.geometry
        if state is None:
            self.turns.append([])
            self._n = 0
            given = geometry.cold_frames
            new = frames[given - geometry.extra_frames :]
        else:
            given = geometry.kept_frames
            new = frames[given:]
        n, over = divmod(len(frames) - given, geometry.frames_per_column)
        self.turns[-1].append(new[: len(new) - over].copy())
        first, self._n = self._n, self._n + n
        turn = len(self.turns) - 1
        numbers = [(turn, i) for i in range(first, self._n)]
        return np.array(numbers, np.float32).reshape(n, 2), ()

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        turn, first = (int(x) for x in columns[0])
        self.steps.append((turn, first, int(columns[-1, 1]) + 1))
        return np.full(len(self.labels), 1 / len(self.labels), np.float32)


def clip_frames(
    clips: Iterable[Utterance],
    labels: tuple[str, ...],
    front_end: FrontEndConfig,
    geometry: Geometry,
    step_s: float,
    *,
    progress: bool = False,
) -> list[ClipFrames]:
    """Each clip as a stream of its own; one without speech has no step."""
    found = []
    for clip in tqdm(clips, "frames", unit="clip", disable=not progress):
        recorder = _FrameRecorder(labels, geometry)
        stream = PipelineConfig(step_s=step_s)
        record(read_samples(clip.path), recorder, front_end, stream)
        turns = [np.concatenate(turn) for turn in recorder.turns]
        found.append(ClipFrames(turns, recorder.steps))
    return found
