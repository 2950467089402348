"""A woman and a man in turn, out of the bundled minute."""

import numpy as np

from ser_stream.pipeline.values import SAMPLE_RATE, FloatArray
from tests.helpers.minute import utterances_of_the_minute

MAN, WOMAN = "03", "14"


def talk() -> tuple[FloatArray, list[tuple[int, int, str]]]:
    """Samples of four turns; of each its beginning, end and speaker."""
    said = utterances_of_the_minute()
    by = {who: [s for s in said if s.speaker == who] for who in (MAN, WOMAN)}
    order = [by[WOMAN][0], by[MAN][0], by[WOMAN][1], by[MAN][1]]
    pause = np.random.default_rng(0).normal(0, 3e-4, SAMPLE_RATE).astype(np.float32)
    parts, turns, at = [pause], [], len(pause)
    for one in order:
        turns.append((at, at + len(one.samples), one.speaker))
        parts += [one.samples, pause]
        at += len(one.samples) + len(pause)
    return np.concatenate(parts), turns
