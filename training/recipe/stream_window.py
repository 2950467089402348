"""A clip's speech in one window, as of a daemon that has been running."""

import numpy as np

from ser_stream.pipeline.front_end import FrontEndConfig
from ser_stream.pipeline.geometry import CPAC, Geometry
from ser_stream.pipeline.pipeline import Pipeline
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import SAMPLE_RATE, Chunk, EncoderState, FloatArray

PAUSE_S = 1.0
"""Between two clips; long enough to end a stretch of speech."""
ROOM_DBFS = -80.0
"""Of the noise in it: no room is as silent as zeros."""


class _FrameKeeper:
    """In the recogniser's seat: keeps the frames of every stretch of speech."""

    labels = ("speech",)

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.stretches: list[list[FloatArray]] = []

    def encode(
        self, frames: FloatArray, state: EncoderState | None, /
    ) -> tuple[FloatArray, EncoderState]:
        """See `Recognizer.encode`; the columns are zeros."""
        geometry = self.geometry
        if state is None:
            self.stretches.append([])
            new = frames[geometry.cold_frames - geometry.extra_frames :]
            n = geometry.columns_in(len(new))
        else:
            new = frames[geometry.kept_frames :]
            n = len(new) // geometry.frames_per_column
        self.stretches[-1].append(new.copy())
        return np.zeros((n, 1, 1), np.float32), ()

    def scores(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        return np.ones(1, np.float32)


def speech_window(
    samples: FloatArray,
    front_end: FrontEndConfig,
    before: FloatArray | None = None,
    geometry: Geometry = CPAC,
) -> FloatArray | None:
    """Frames of a clip's longest stretch of speech, as the pipeline makes them.

    Args:
        samples: of the whole clip, (n,).
        front_end: what the network was trained on.
        before: another clip of the speaker, fed first, so that the front end knows
            the voice's level as a running daemon does; None: the stream begins here.
        geometry: of the network.

    Returns:
        The longest window at its end or all, (n_frames, n_features); None where the
        VAD finds no speech, or too little for a column.
    """
    keeper = _FrameKeeper(geometry)
    pipeline = Pipeline(keeper, front_end)
    start = 0
    if before is not None:
        past = np.concatenate([before, _room()])
        pipeline.feed(Chunk(0, past))
        start = len(past)
        keeper.stretches.clear()
    pipeline.feed(Chunk(start, samples))
    stretches = [np.concatenate(parts) for parts in keeper.stretches]
    if not stretches:
        return None
    if geometry.whole:
        # Each step gave its window whole; of the longest, the one at the end.
        stretches.reverse()
    longest: FloatArray = max(stretches, key=len)
    return longest[-geometry.n_frames(geometry.max_columns) :]


def _room() -> FloatArray:
    noise = np.random.default_rng(0).standard_normal(round(PAUSE_S * SAMPLE_RATE))
    return (noise * 10 ** (ROOM_DBFS / 20)).astype(np.float32)
