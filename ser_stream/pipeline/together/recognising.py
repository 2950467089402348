"""The encoder and the head over the windows of many streams."""

from collections.abc import Hashable, Sequence

from ser_stream.pipeline.computation import Encode, Score
from ser_stream.pipeline.recognizer import OnnxRecognizer, Recognizer
from ser_stream.pipeline.values import EncoderState, FloatArray


def _onnx(recognizer: Recognizer) -> OnnxRecognizer | None:
    # One of a class derived from it may compute something else.
    if type(recognizer) is not OnnxRecognizer:
        return None
    assert isinstance(recognizer, OnnxRecognizer)
    return recognizer


def kind_of_frames(wanted: Encode) -> Hashable | None:
    """What goes together: as many frames for one network, with a state or without."""
    recognizer = _onnx(wanted.recognizer)
    if recognizer is None or recognizer.many_encoder is None:
        return None
    return id(recognizer), wanted.state is None, wanted.frames.shape


def columns(wanted: Sequence[Encode]) -> list[tuple[FloatArray, EncoderState]]:
    """Of each, the columns, and what the encoder keeps."""
    recognizer = _onnx(wanted[0].recognizer)
    assert recognizer is not None
    states = [one.state for one in wanted if one.state is not None]
    return recognizer.encode_each([one.frames for one in wanted], states or None)


def kind_of_window(wanted: Score) -> Hashable | None:
    """What goes together: windows for one network that can be told of the speaker."""
    recognizer = _onnx(wanted.recognizer)
    if recognizer is None or recognizer.window_features is None:
        return None
    return id(recognizer)


def scores(wanted: Sequence[Score]) -> list[FloatArray]:
    """Of each, the probabilities of its window, which its speaker takes in."""
    recognizer = _onnx(wanted[0].recognizer)
    assert recognizer is not None
    assert recognizer.window_features is not None
    return recognizer.scores_of_each(
        recognizer.window_features.of([one.columns for one in wanted]),
        [len(one.columns) for one in wanted],
        [one.speaker for one in wanted],
    )
