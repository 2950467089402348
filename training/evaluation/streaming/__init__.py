"""`stream-eval`: a bundle on streams, as a subscriber of the daemon meets it.

run                  the whole benchmark, resumable by section: `stream-eval.json`
evaluate_group       one group of speakers -> the sections about them
unseen_speakers      which network scores whom: none scores its training speakers
clips, streams       what is fed: single clips, and clips joined to streams
conditions           M3: level and noise; noises, synthetic_noise are what is mixed in
time_to_decision     M4: how soon a decision is as good as it will be
changes              M5, M6: delay of a change of emotion, and flips
false_alarms         M7: emotions in nonspeech
calibration          M8: calibration error
thresholds           what a bundle ships, searched on streams of held-out speakers
stream_file          recorded streams, to search without running the model again
voice_activity       where in a clip the voice is, without the tested detector
plots, summary       pictures, and lines for a terminal
"""

from training.evaluation.streaming.run import SECTIONS, StreamEvalConfig, run

__all__ = ["SECTIONS", "StreamEvalConfig", "run"]
