"""Every channel of a recording, decoded once: each as if it had been heard alone."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_stream.errors import ConfigError
from ser_stream.pipeline.values import Chunk, FloatArray
from ser_stream.sources import InputConfig, Source, open_each, open_source
from ser_stream.sources.each import parted


def all_of(source: Source) -> list[Chunk]:
    found = []
    with source:
        while not source.ended:
            item = source.read(1.0)
            if isinstance(item, Chunk):
                found.append(item)
    return found


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_channel_is_what_it_is_alone_to_the_last_bit(
    tmp_path: Path, rate: int, channels: int
) -> None:
    path = tmp_path / "some.wav"
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (rate, channels))
    if channels > 1:
        # What is no number is a gap in all of them.
        samples[rate // 2, 1] = np.nan
    soundfile.write(path, samples, rate, subtype="FLOAT")
    config = InputConfig(str(path), pace="fast", channel="each")
    source, count = open_each(config)
    assert count == channels
    chunks = all_of(source)
    for number in range(channels):
        wanted = InputConfig(str(path), pace="fast", channel=str(number + 1))
        alone = all_of(open_source(wanted))
        mine = [part for chunk in chunks if (part := parted(chunk, count)[number])]
        assert [c.start for c in mine] == [c.start for c in alone]
        assert all(
            np.array_equal(a.samples, b.samples)
            for a, b in zip(mine, alone, strict=True)
        )
    with pytest.raises(ConfigError, match="channel is each"):
        open_source(config)


def test_a_channel_that_is_not_there_any_more_is_a_gap() -> None:
    samples: FloatArray = np.zeros((10, 2), np.float32)
    assert [c is None for c in parted(Chunk(0, samples), 3)] == [False, False, True]
    assert [c is None for c in parted(Chunk(0, samples[:, 0]), 2)] == [False, True]
