"""Windows of speech as the running pipeline hands them out."""

from functools import cache

import soundfile

from ser_stream.pipeline.bundle import load_bundle
from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig
from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.values import Chunk, SpeechWindow
from tests.helpers.paths import MINUTE


@cache
def heard_minute() -> tuple[SpeechWindow, ...]:
    """Those of the minute of EmoDB, 26 in 16 turns, by the model `open`."""
    bundle, found = load_bundle("open"), list[SpeechWindow]()
    samples = soundfile.read(MINUTE, dtype="float32")[0]
    config = PipelineConfig(smoothing=bundle.thresholds)
    pipeline = Pipeline(OnnxRecognizer(bundle), bundle.front_end, config, found.append)
    pipeline.feed(Chunk(0, samples))
    return tuple(found)


def heard_minutes(n: int) -> list[SpeechWindow]:
    """The same so many times, one after the other."""
    minute = heard_minute()
    return [
        SpeechWindow(w.frames, w.scores, w.end + 960_000 * k, w.turn + 20 * k)
        for k in range(n)
        for w in minute
    ]
