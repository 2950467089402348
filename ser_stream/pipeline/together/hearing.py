"""The detector of speech over the frames of many streams.

What comes before its memory is computed of all frames at once; the memory, an LSTM,
frame by frame, of all streams that have as many of them.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from ser_stream.pipeline.batch.detector import silero_parts
from ser_stream.pipeline.computation import Hear
from ser_stream.pipeline.detector import Silero
from ser_stream.pipeline.values import FloatArray

FRAMES_AT_ONCE = 96
"""To look at in one go; what is made of more does not stay in a processor's cache."""


def kind(wanted: Hear) -> Hashable | None:
    """What goes together: all that the packaged detector hears."""
    return "silero" if type(wanted.detector) is Silero else None


def answers(wanted: Sequence[Hear]) -> list[FloatArray]:
    """Of each, the probabilities of the frames that its samples complete."""
    found = [np.zeros(0, np.float32)] * len(wanted)
    by_count: defaultdict[int, list[tuple[int, Silero, FloatArray]]]
    by_count = defaultdict(list)
    for i, one in enumerate(wanted):
        assert isinstance(one.detector, Silero)
        frames = one.detector.frames_of(one.samples)
        by_count[len(frames)].append((i, one.detector, frames))
    by_count.pop(0, None)
    for count, streams in by_count.items():
        at_once = max(1, FRAMES_AT_ONCE // count)
        for at in range(0, len(streams), at_once):
            some = streams[at : at + at_once]
            probabilities = _heard([(one, frames) for _, one, frames in some])
            for (i, _, _), heard in zip(some, probabilities, strict=True):
                found[i] = heard
    return found


def _heard(streams: Sequence[tuple[Silero, FloatArray]]) -> FloatArray:
    """Detectors and their frames, as many of each -> probabilities, (streams, n)."""
    parts = silero_parts()
    features = parts.features(np.concatenate([frames for _, frames in streams]))
    by_stream = features.reshape(len(streams), -1, features.shape[1])
    h, c = zip(*(detector.memory for detector, _ in streams), strict=True)
    probabilities, memory = parts.remembered_by_each(
        np.ascontiguousarray(by_stream.transpose(1, 2, 0)),
        (np.concatenate(h, axis=1), np.concatenate(c, axis=1)),
    )
    for i, (detector, _) in enumerate(streams):
        detector.memory = memory[0][:, i : i + 1], memory[1][:, i : i + 1]
    return probabilities
