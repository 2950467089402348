"""The way of a sample to an event: no thread, clock, socket or file.

    Chunk -> blocks -> vad
                    -> mfcc, pitch -> normalise -> window -> recognizer -> smoothing

values           what travels: read it first
blocks           chunks of any length -> blocks of 0.1 s on an absolute grid
mfcc, pitch      a block -> frames; floor: under quiet bands; normalise: against the
                 level; front_end: all four
vad              speech or not; detector: of 32 ms; loudness: how loud a block is beside
                 the room; detector_gain: how loud the detector hears it
window           frames and encoder frames since speech began
recognizer       frames -> encoder frames (CPAC: capsule columns) -> calibrated scores
window_features  of many windows, what the last layer sees
prediction       what a step says
speaker          features on average for the present speaker; turns: of a recording
last_layer       features -> logits, and what a user's examples change in that
voices/          who speaks: a number for each voice, where that is asked for
familiarity      how near features are to those of the training speech
bundle           a model on disk; onnx_session: its graphs under ONNX Runtime;
                 onnx_graph: parts and variants of them
bundle_evidence  what was measured of it, which changes nothing that is computed
geometry         how many frames an encoder frame takes, and the longest window
silero_graph     Silero as fewer and larger products
smoothing        scores of single steps -> a steady emotion
pipeline         all of it: `feed(chunk)` -> events
computation      what a step wants computed: at once, or with what others want
many_encoder     the encoder over many streams
together/        many streams: what falls due together, computed together
recording        a whole recording: everything that was said of it, and when
batch/           the same of whole recordings, in less time than a stream takes
data_frame       what was recognised of many files, as a table of pandas

`Pipeline` is imported when it is first asked for: values need no ONNX Runtime.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_stream.pipeline.pipeline import Pipeline, PipelineConfig

__all__ = ["Pipeline", "PipelineConfig"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ser_stream.pipeline import pipeline

    return getattr(pipeline, name)
