"""`stream-eval`: a bundle on streams, as a subscriber of the daemon would judge it.

judges -> which network hears whom; record -> everything the pipeline said; levels,
noise, early, changes, calibration, false_alarms -> one question each, asked of what was
recorded; run -> all of it, into one JSON file; plots, summary -> for people.
"""

from training.evaluation.streaming.run import SECTIONS, StreamEvalConfig, run

__all__ = ["SECTIONS", "StreamEvalConfig", "run"]
