"""The clips that a model is most sure of, and wrong about: what a hostile one says."""

from collections import defaultdict
from collections.abc import Sequence

from ser_stream.pipeline.bundle import Bundle
from ser_stream.pipeline.recognizer import OnnxRecognizer
from training.corpora import Utterance
from training.evaluation.calibration import Calibration
from training.evaluation.clip_steps import run_clips

N_CLIPS = 30


def confident_errors(clips: Sequence[Utterance], bundle: Bundle) -> list[Utterance]:
    """At most `N_CLIPS` of the speaker who has most, the surest errors first.

    All clips must have one of the bundle's labels.
    """
    calibration = Calibration(bundle.temperatures, bundle.clip_temperature)
    wrong: dict[str, list[tuple[float, Utterance]]] = defaultdict(list)
    said = run_clips(OnnxRecognizer(bundle), bundle.front_end, clips)
    for clip, result in zip(clips, said, strict=True):
        scores = calibration.whole(result)
        if scores is not None and int(scores.argmax()) != result.truth:
            wrong[clip.speaker].append((float(scores.max()), clip))
    of_one = max(wrong.values(), key=lambda errors: sum(score for score, _ in errors))
    surest = sorted(of_one, key=lambda error: (-error[0], error[1].name))
    return [clip for _, clip in surest[:N_CLIPS]]
