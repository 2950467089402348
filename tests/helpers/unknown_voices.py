"""A recogniser to which every voice is unknown."""

from ser_stream.pipeline.recognizer import OnnxRecognizer
from ser_stream.pipeline.speaker import Speaker
from ser_stream.pipeline.values import FloatArray


class OfUnknownVoices(OnnxRecognizer):
    """Is told nothing of the speaker: a pack's windows are of nobody in particular."""

    def logits(
        self, columns: FloatArray, speaker: Speaker | None = None, /
    ) -> FloatArray:
        del speaker
        return super().logits(columns)
