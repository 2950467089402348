"""The echo state network: it learns an order in time, from the training clips alone."""

import numpy as np
import pytest

from training.baselines.echo_state import EchoStateConfig, echo_state_predict

pytest.importorskip("reservoirpy")

SMALL = EchoStateConfig(units=60, ridge=0.1)


def swept(rng: np.random.Generator, n: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Clips of two classes that the mean of their frames does not tell apart.

    A ramp that jumps back at the end of each ten frames, or its mirror image in time.
    """
    y = np.arange(n) % 2
    clips = []
    for c in y:
        wave = np.tile(np.linspace(-1, 1, 10), 5)[: rng.integers(40, 50)]
        wave = wave[::-1] if c else wave
        clips.append(
            wave[:, None] * [1.0, 50.0] + 0.1 * rng.normal(size=(len(wave), 2))
        )
    return clips, y


def test_it_tells_what_only_the_order_of_frames_tells(rng: np.random.Generator) -> None:
    clips, y = swept(rng, 60)
    train, test = clips[:40], clips[40:]
    found = echo_state_predict(train, y[:40], test, seed=98, config=SMALL)
    assert np.mean(found == y[40:]) > 0.9
    # Each clip by itself, and the same every time.
    alone = [
        echo_state_predict(train, y[:40], [clip], seed=98, config=SMALL)[0]
        for clip in test[:3]
    ]
    assert alone == found[:3].tolist()
