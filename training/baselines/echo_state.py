"""An echo state network over the frames of a clip, by reservoirpy.

A fixed random recurrent network hears the clip forwards and backwards; the means of its
states over time are what a ridge regression onto the classes learns from. Nothing else
is trained (Jaeger, GMD report 148, 2001).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_stream.pipeline.values import FloatArray
from training.baselines.libraries import library
from training.baselines.svm import Ints


@dataclass(frozen=True, slots=True)
class EchoStateConfig:
    """One configuration for all corpora.

    `ridge` was set on a tenth of the training clips of one fold of EMODB; the others
    are common values that were not compared with any.
    """

    units: int = 300
    leak: float = 0.3
    """Share of a state that each frame replaces."""
    spectral_radius: float = 0.9
    input_scaling: float = 0.3
    ridge: float = 1.0


def echo_state_predict(
    train: Sequence[FloatArray],
    train_y: Ints,
    test: Sequence[FloatArray],
    seed: int,
    config: EchoStateConfig | None = None,
) -> Ints:
    """The classes of the clips `test`, (n_test,).

    Args:
        train: frames of each training clip, (T, d); all frames are standardised by
            their mean and deviation.
        train_y: (n_train,), classes from 0.
        test: frames of the clips to classify, (T, d).
        seed: of the random network.
        config: its size and course.

    Raises:
        MissingLibraryError: if reservoirpy is not installed.
    """
    config = config or EchoStateConfig()
    nodes = library("reservoirpy.nodes")
    frames = np.concatenate(list(train))
    mean, deviation = frames.mean(0), frames.std(0) + np.float32(1e-3)
    reservoir = nodes.Reservoir(
        config.units,
        lr=config.leak,
        sr=config.spectral_radius,
        input_scaling=config.input_scaling,
        seed=seed,
    )
    states = [
        np.array([_mean_states(reservoir, (clip - mean) / deviation) for clip in clips])
        for clips in (train, test)
    ]
    readout = nodes.Ridge(ridge=config.ridge)
    readout.fit(states[0], np.eye(int(train_y.max()) + 1)[train_y])
    classes: Ints = readout.run(states[1]).argmax(1).astype(np.int64)
    return classes


def _mean_states(reservoir: Any, frames: FloatArray) -> FloatArray:
    """Of the network hearing the clip forwards, then backwards; (2 units,)."""
    means = []
    for course in (frames, frames[::-1]):
        if reservoir.initialized:
            reservoir.reset()
        means.append(reservoir.run(course).mean(0))
    return np.concatenate(means)
