"""Silero side by side: the graph that is published, but for rounding."""

import numpy as np

from ser_stream.pipeline.blocks import Blocker
from ser_stream.pipeline.computation import answered
from ser_stream.pipeline.detector import Silero, silero_path
from ser_stream.pipeline.vad import SpeechGate
from ser_stream.pipeline.values import Block, Chunk, FloatArray

ROUNDING = 1e-5


def test_it_hears_what_the_published_graph_hears_also_one_frame_at_a_time(
    clip: FloatArray,
) -> None:
    published = Silero(silero_path()).feed(clip)
    assert published.max() > 0.9
    np.testing.assert_allclose(Silero().feed(clip), published, rtol=0, atol=ROUNDING)
    silero = Silero()
    single = [silero.feed(part) for part in np.split(clip, range(512, len(clip), 512))]
    np.testing.assert_allclose(np.concatenate(single), published, rtol=0, atol=ROUNDING)


def test_a_gate_that_is_given_blocks_together_opens_and_shuts_as_one_by_one(
    clip: FloatArray,
) -> None:
    quiet = np.zeros(40_000, np.float32)
    samples = np.concatenate([quiet, clip, quiet, clip[:20_000], quiet])
    later = len(samples) + 5000
    blocker, blocks = Blocker(), list[Block]()
    for start in (0, later):
        for item in blocker.feed(Chunk(start, samples)):
            if isinstance(item, Block):
                blocks.append(item)
    alone = SpeechGate()
    expected = [alone.feed(block) for block in blocks]
    assert len({reading.began for reading in expected}) >= 5
    for n in (2, 3, 20):
        gate = SpeechGate()
        groups = [blocks[i : i + n] for i in range(0, len(blocks), n)]
        assert [
            one for group in groups for one in answered(gate.work_on(group))
        ] == expected
        assert gate.speech_samples == alone.speech_samples
