"""Recorded streams as a file, to search thresholds without running the model again.

JSON lines, one a stream: `{"group", "speaker", "segments": [[start, end, label]],
"predictions": [[start, end, level_dbfs, columns, scores or null]]}`, samples at 16 kHz.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_stream.atomic_file import replacing
from ser_stream.pipeline.recording import Recording
from ser_stream.pipeline.smoothing import UNCERTAIN
from ser_stream.pipeline.values import Prediction, SpeechState
from ser_stream.tuning.streams import Segment, Stream


def line(
    group: str, speaker: str, segments: Sequence[Segment], recording: Recording
) -> str:
    return json.dumps(
        {
            "group": group,
            "speaker": speaker,
            "segments": [[s.start, s.end, s.label] for s in segments],
            "predictions": [
                [
                    p.start,
                    p.end,
                    round(p.level_dbfs, 2),
                    p.columns,
                    None
                    if p.scores is None
                    else [round(float(s), 8) for s in p.scores],
                ]
                for p in recording.predictions
            ],
        }
    )


def write_streams(path: Path, lines: Iterable[str]) -> None:
    """All streams of one file, or none."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in lines)


def read_streams(path: Path, labels: Sequence[str], uncertain: float) -> list[Stream]:
    """The streams of a file of `stream-eval`, as `ser_stream.tuning` takes them.

    The labels are those of the model; `uncertain` is the threshold under which a step
    is labelled so.
    """
    with path.open(encoding="utf-8") as file:
        return [
            Stream(
                [_prediction(p, labels, uncertain) for p in row["predictions"]],
                [Segment(*segment) for segment in row["segments"]],
                f"{row['group']}/{row['speaker']}",
            )
            for row in map(json.loads, file)
        ]


def _prediction(row: list[Any], labels: Sequence[str], uncertain: float) -> Prediction:
    start, end, level, columns, given = row
    if given is None:
        return Prediction(start, end, SpeechState.NO_SPEECH, level)
    scores = np.array(given, np.float32)
    best = int(scores.argmax())
    label = labels[best] if scores[best] >= uncertain else UNCERTAIN
    return Prediction(start, end, SpeechState.SPEECH, level, label, scores, columns)
